/*
 * Deletes released reservations and tombstones more than `retention_days` days after their screening date, at
 * startup and about every hour. Runs on its own thread and submits one chunk per command to the writer, so
 * that no other command waits for a large purge.
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

/*
 * Starts the purge thread. `writer` must outlive the thread. Returns RESOURCE_EXHAUSTED if the thread cannot
 * be started.
 */
MUST_CHECK enum status purge_open(struct purge *purge, struct writer *writer, int64_t retention_days,
                                  struct error *error);

/*
 * Stops the thread. Call it before writer_close, because the thread submits to the writer. The writer may
 * still hold the last command, so keep the struct until writer_close has returned. Does nothing if purge_open
 * was never called.
 */
void purge_close(struct purge *purge);

#endif
