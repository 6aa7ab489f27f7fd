/* What is told of connections that were refused or ended: counted at once, logged once a minute. */
#ifndef SCREENING_RPC_CONNECTION_NOTES_H
#define SCREENING_RPC_CONNECTION_NOTES_H

#include <stdint.h>

#include "rpc/connection_address.h"

enum connection_note {
    CONNECTION_REFUSED,    /* there was no room */
    CONNECTION_SILENT,     /* ended to make room for another */
    CONNECTION_UNFINISHED, /* ended over a message that was not complete */
    CONNECTION_NO_FILE,    /* not accepted: the process has no descriptor left */
    CONNECTION_NOTES
};

void connection_notes_register(void);

/* Any thread; calls nothing that waits. `address` may be NULL. */
void connection_note(enum connection_note note, const struct connection_address *address);

/* The number of connections has changed by so much. */
void connection_notes_count(int64_t change);

/* Writes the line if there is something to tell and the last line is a minute old. One thread. */
void connection_notes_log(void);

#endif
