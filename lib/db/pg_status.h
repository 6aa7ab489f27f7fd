/* The meaning of PostgreSQL's failures. Pure; any thread. */
#ifndef SCREENING_DB_PG_STATUS_H
#define SCREENING_DB_PG_STATUS_H

#include <stdbool.h>

#include "base/status.h"

/*
 * Returns the status of an SQLSTATE such as "40001", or INTERNAL if the table does not have it. `source_file`
 * is the server's source file that raised it, such as "md.c", or NULL if it is unknown.
 */
enum status pg_status(const char *sqlstate, const char *source_file);

/* Returns whether the SQLSTATE means that data or an index is damaged. */
bool pg_status_is_damage(const char *sqlstate);

/* Returns whether the server's message for the SQLSTATE may quote a value. Such messages are never shown. */
bool pg_status_quotes_values(const char *sqlstate);

/* Returns whether the session is unusable after the SQLSTATE, even if it is still open. */
bool pg_status_spoils_session(const char *sqlstate);

/*
 * Returns the status of a failed connection attempt. `message` is libpq's, with verbosity PQERRORS_SQLSTATE
 * and one line per attempt. Returns INVALID_ARGUMENT if the URL is to blame for every attempt, otherwise
 * UNAVAILABLE.
 */
enum status pg_status_of_connection(const char *message);

#endif
