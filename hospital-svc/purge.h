/*
 * Released reservations and tombstones go some days after their screening date: at start and about every
 * hour, through the writer, a chunk per command, so that nobody waits behind a large one. Called from the
 * main thread only.
 */
#ifndef SCREENING_HOSPITAL_SVC_PURGE_H
#define SCREENING_HOSPITAL_SVC_PURGE_H

#include "command.h"

#include <stdint.h>

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
};

/* Nothing is purged before the first purge_continue. */
void purge_init(struct purge *purge, struct writer *writer, int64_t retention_days);

/*
 * Hands in the next chunk if it is time. Returns after how many milliseconds to call it again. Never again
 * once writer_close may run.
 */
int purge_continue(struct purge *purge);

#endif
