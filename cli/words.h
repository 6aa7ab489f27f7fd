/* Words of the wire in the reader's language: statuses, reasons of refusals, rules of fields. */
#ifndef SCREENING_CLI_WORDS_H
#define SCREENING_CLI_WORDS_H

#include "base/arena.h"

/* The word in the reader's language; the word itself in English, or if the table does not have it. */
const char *word_shown(const char *word);

/*
 * The message of a refusal, "customer_id: must not contain spaces", in the reader's language; NULL in
 * English, or if the table does not have its rule. Lives in the arena.
 */
const char *word_rule(struct arena *arena, const char *text);

#endif
