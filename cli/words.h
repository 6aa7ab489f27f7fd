/* Wire words in the user's language: statuses, refusal reasons, field rules. */
#ifndef SCREENING_CLI_WORDS_H
#define SCREENING_CLI_WORDS_H

#include "base/arena.h"

/* Returns the word in the user's language, or unchanged in English and if the table lacks it. */
const char *word_shown(const char *word);

/*
 * Returns a refusal's message, such as "customer_id: must not contain spaces", in the user's language; NULL
 * in English, or if the table lacks its rule. Lives in the arena.
 */
const char *word_rule(struct arena *arena, const char *text);

#endif
