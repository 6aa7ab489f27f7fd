/* Translates the rules of fields to the user's language. */
#ifndef SCREENING_CLI_RULES_H
#define SCREENING_CLI_RULES_H

#include "base/arena.h"

/*
 * Returns a refusal's message, such as "customer_id: must not contain spaces", in the user's language.
 * Returns NULL if the rule has no translation, as in English, or when out of memory. The text lives in
 * `arena`.
 */
const char *rule_shown(struct arena *arena, const char *text);

#endif
