/* Reports refused and ended connections: counts them immediately and logs the counts once a minute. */
#ifndef SCREENING_NNG_CONNECTION_NOTES_H
#define SCREENING_NNG_CONNECTION_NOTES_H

#include <stdint.h>

#include "nng/connection_address.h"

enum connection_note {
    CONNECTION_REFUSED,    /* refused because there was no room */
    CONNECTION_SILENT,     /* ended to make room for a new connection */
    CONNECTION_UNFINISHED, /* ended because its greeting or a message was unfinished */
    CONNECTION_NO_FILE,    /* not accepted because the process has no free descriptor */
    CONNECTION_NOTES
};

void connection_notes_register(void);

/*
 * Counts one connection under `note`. `address` is the address of the connection, or NULL if unknown. Any
 * thread; never blocks on I/O.
 */
void connection_note(enum connection_note note, const struct connection_address *address);

/* Adds `change` to the metric rpc_connections. */
void connection_notes_count(int64_t change);

/*
 * Logs the counts since the last line, unless all are 0 or that line is less than a minute old. One thread at
 * a time.
 */
void connection_notes_log(void);

#endif
