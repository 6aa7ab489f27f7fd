/*
 * Released reservations and tombstones go some days after their screening date: at start and about every
 * hour, through the writer, a chunk per command, so that nobody waits behind a large one. Runs on a
 * thread of its own.
 */
#ifndef SCREENING_HOSPITAL_SVC_PURGE_H
#define SCREENING_HOSPITAL_SVC_PURGE_H

#include "command.h"

#include <stdint.h>

#include "base/ticker.h"
#include "writer/writer.h"

enum purge_state {
    PURGE_IDLE,      /* until next_ns */
    PURGE_SUBMITTED, /* the command is the writer's */
    PURGE_COMPLETE,
};

struct purge {
    struct command command;
    struct writer *writer;
    int32_t retention_days;
    int64_t next_ns; /* monotonic */
    _Atomic enum purge_state state;
    struct ticker *ticker;
};

/* Starts to purge. */
MUST_CHECK enum status purge_open(struct purge *purge, struct writer *writer, int64_t retention_days,
                                  struct error *error);

/* Ends the thread; a chunk handed in may still be under way in the writer. Before writer_close. Also one
 * never opened. */
void purge_close(struct purge *purge);

#endif
