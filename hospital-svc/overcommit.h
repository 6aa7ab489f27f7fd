/*
 * Counts the days on which more places are reserved than there are: from today on, every few seconds, on a
 * reader thread. The count is derived from the days, so that it is right whoever changed them. For Stats,
 * /metrics and the log.
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
    atomic_bool reading; /* the task is the pool's */
    _Atomic int64_t days;
};

/* Starts to count. `readers` must outlive the thread. RESOURCE_EXHAUSTED: no thread. */
MUST_CHECK enum status overcommit_open(struct overcommit *overcommit, struct reader_pool *readers,
                                       struct error *error);

/* Ends the thread; a read may still be under way. Before reader_pool_close. Also one never opened. */
void overcommit_close(struct overcommit *overcommit);

/* Writes "2 days overcommitted"; false if there is none. Any thread. */
bool overcommit_degraded(struct overcommit *overcommit, char *out, size_t size);

#endif
