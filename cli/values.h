/* Reads values from the text that users type. */
#ifndef SCREENING_CLI_VALUES_H
#define SCREENING_CLI_VALUES_H

#include "command.h"

/*
 * Reads `text` into the argument's value. Returns INVALID_ARGUMENT "--name TEXT: must be ..." if `text` is
 * invalid. Dates and hospitals are only stored; command_read resolves them when it has read all words.
 */
MUST_CHECK enum status values_store(const struct argument *argument, char *text, struct error *error);

/*
 * Converts the stored text of a date to YYYY-MM-DD, in the session's arena. Returns INVALID_ARGUMENT if it is
 * not a date or the time zone is unknown, and RESOURCE_EXHAUSTED when out of memory.
 */
MUST_CHECK enum status values_finish_date(struct session *session, const struct argument *argument,
                                          struct error *error);

/*
 * Returns the entry of `names` that is closest to `word`, at most two edits apart and ignoring case, or NULL
 * if there is none.
 */
const char *values_nearest(const char *word, const char *const *names, size_t count);

#endif
