/*
 * Deletes released reservations and tombstones `retention_days` after their screening date, at start and
 * about every hour. It runs on its own thread and submits one chunk per command to the writer, so that no
 * other command waits for a large purge.
 */
#ifndef SCREENING_HOSPITAL_SVC_PURGE_H
#define SCREENING_HOSPITAL_SVC_PURGE_H

#include "command.h"

#include <stdint.h>

#include "base/ticker.h"
#include "writer/writer.h"

enum purge_state {
    PURGE_IDLE,      /* waiting until next_ns */
    PURGE_SUBMITTED, /* the writer holds the command */
    PURGE_COMPLETE,
};

struct purge {
    struct command command;
    struct writer *writer;
    int32_t retention_days;
    int64_t next_ns; /* when the next purge begins (monotonic) */
    _Atomic enum purge_state state;
    struct ticker *ticker;
};

/* Starts the purge thread. */
MUST_CHECK enum status purge_open(struct purge *purge, struct writer *writer, int64_t retention_days,
                                  struct error *error);

/*
 * Stops the thread. The writer may still hold a submitted chunk. Call it before writer_close. Does nothing if
 * never opened.
 */
void purge_close(struct purge *purge);

#endif
