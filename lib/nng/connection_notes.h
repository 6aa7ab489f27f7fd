/* Reports refused and ended connections. Counts them immediately and logs them once a minute. */
#ifndef SCREENING_NNG_CONNECTION_NOTES_H
#define SCREENING_NNG_CONNECTION_NOTES_H

#include <stdint.h>

#include "nng/connection_address.h"

enum connection_note {
    CONNECTION_REFUSED,    /* refused because there was no room */
    CONNECTION_SILENT,     /* a silent connection, ended to make room for another */
    CONNECTION_UNFINISHED, /* ended because a message stayed incomplete */
    CONNECTION_NO_FILE,    /* not accepted because the process has no descriptor left */
    CONNECTION_NOTES
};

void connection_notes_register(void);

/* Counts a connection. Any thread; never blocks on I/O. `address` may be NULL. */
void connection_note(enum connection_note note, const struct connection_address *address);

/* Adds `change` to the number of connections. */
void connection_notes_count(int64_t change);

/* Logs the counts if there are any and the last line is at least a minute old. One thread. */
void connection_notes_log(void);

#endif
