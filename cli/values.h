/* Values as people type them. */
#ifndef SCREENING_CLI_VALUES_H
#define SCREENING_CLI_VALUES_H

#include "command.h"

/*
 * Reads `text` into the argument's value. INVALID_ARGUMENT "--name TEXT: must be ..." if it is none. Dates
 * and hospitals are only stored: values_finish makes them what they mean once all words are read.
 */
MUST_CHECK enum status values_store(const struct argument *argument, char *text, struct error *error);

/* Turns the stored text of a date into YYYY-MM-DD. The zone must be in force. */
MUST_CHECK enum status values_finish_date(struct session *session, const struct argument *argument,
                                          struct error *error);

/* The name of `names` that `word` most likely means: two letters apart at most. NULL if there is none. */
const char *values_nearest(const char *word, const char *const *names, size_t count);

#endif
