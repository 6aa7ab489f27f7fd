/*
 * Counts the days from today on that are overcommitted (with more places reserved than their capacity), every
 * 3 s on a reader thread. The count comes from the stored days, so it is correct regardless of which process
 * changed them. It appears in Stats, in /metrics and in the log.
 */
#ifndef SCREENING_HOSPITAL_SVC_OVERCOMMIT_H
#define SCREENING_HOSPITAL_SVC_OVERCOMMIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/ticker.h"
#include "writer/reader.h"

struct overcommit {
    struct reader_task task;
    struct reader_pool *readers;
    struct ticker *ticker;
    atomic_bool reading; /* whether the pool holds the task */
    _Atomic int64_t days;
};

/*
 * Starts a thread that submits the task to `readers` every 3 s. `readers` must outlive the thread. Returns
 * RESOURCE_EXHAUSTED if the thread cannot be started.
 */
MUST_CHECK enum status overcommit_open(struct overcommit *overcommit, struct reader_pool *readers,
                                       struct error *error);

/*
 * Stops the thread. The pool may still hold the task, so call overcommit_close before reader_pool_close and
 * keep the struct until then. Does nothing if overcommit_open was never called.
 */
void overcommit_close(struct overcommit *overcommit);

/* Writes a text such as "2 days overcommitted". Returns false if no day is overcommitted. Any thread. */
bool overcommit_degraded(struct overcommit *overcommit, char *out, size_t size);

#endif
