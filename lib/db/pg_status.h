/* What PostgreSQL's failures mean. Pure; any thread. */
#ifndef SCREENING_DB_PG_STATUS_H
#define SCREENING_DB_PG_STATUS_H

#include <stdbool.h>

#include "base/status.h"

/*
 * The status of an SQLSTATE, "40001"; INTERNAL if the table doesn't know it. `source_file` is where in the
 * server it was raised, "md.c"; NULL = not told.
 */
enum status pg_status(const char *sqlstate, const char *source_file);

/* Whether it says that data or an index are damaged. */
bool pg_status_is_damage(const char *sqlstate);

/* Whether the server's message for it may quote a value: never shown. */
bool pg_status_quotes_values(const char *sqlstate);

/* Whether the session is of no use afterwards, although it may still be open. */
bool pg_status_spoils_session(const char *sqlstate);

/*
 * The status of a failed connection from libpq's message in the verbosity PQERRORS_SQLSTATE, one line for
 * each attempt: INVALID_ARGUMENT if every attempt was refused for what the URL says, else UNAVAILABLE.
 */
enum status pg_status_of_connection(const char *message);

#endif
