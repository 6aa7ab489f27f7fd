/* The rules of fields in the user's language. */
#ifndef SCREENING_CLI_RULES_H
#define SCREENING_CLI_RULES_H

#include "base/arena.h"

/*
 * Returns a refusal's message, such as "customer_id: must not contain spaces", in the user's language.
 * Returns NULL in English, or if the table lacks its rule. The text lives in the arena.
 */
const char *rule_shown(struct arena *arena, const char *text);

#endif
