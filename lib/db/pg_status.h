/* Classifies PostgreSQL's failures. Pure; any thread. */
#ifndef SCREENING_DB_PG_STATUS_H
#define SCREENING_DB_PG_STATUS_H

#include <stdbool.h>

#include "base/status.h"

/*
 * Returns the status that corresponds to an SQLSTATE such as "40001", or INTERNAL if it is unknown.
 * `source_file` is the file of the server's source that raised the error, such as "md.c", or NULL if unknown.
 */
enum status pg_status(const char *sqlstate, const char *source_file);

/* Returns whether the SQLSTATE means that data or an index is damaged. */
bool pg_status_is_damage(const char *sqlstate);

/* Returns whether the server's message for the SQLSTATE may quote a value. Never show such a message. */
bool pg_status_quotes_values(const char *sqlstate);

/* Returns whether the session is unusable after a failure with this SQLSTATE, even if it is still open. */
bool pg_status_spoils_session(const char *sqlstate);

/*
 * Returns the status of a failed connection attempt. `message` is libpq's, with verbosity PQERRORS_SQLSTATE
 * and one line per attempt. Returns INVALID_ARGUMENT if every attempt failed because of the URL, otherwise
 * UNAVAILABLE.
 */
enum status pg_status_of_connection(const char *message);

#endif
