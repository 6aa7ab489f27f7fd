/* Values as users type them. */
#ifndef SCREENING_CLI_VALUES_H
#define SCREENING_CLI_VALUES_H

#include "command.h"

/*
 * Reads `text` into the argument's value. Returns INVALID_ARGUMENT "--name TEXT: must be ..." if it is
 * invalid. Only stores dates and hospitals; command_read resolves them once it has read all words.
 */
MUST_CHECK enum status values_store(const struct argument *argument, char *text, struct error *error);

/* Turns the stored text of a date into YYYY-MM-DD. The zone must be active. */
MUST_CHECK enum status values_finish_date(struct session *session, const struct argument *argument,
                                          struct error *error);

/*
 * Returns the entry of `names` that is closest to `word`, at most two letters apart, or NULL if there is
 * none.
 */
const char *values_nearest(const char *word, const char *const *names, size_t count);

#endif
