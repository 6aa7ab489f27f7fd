/*
 * Counts the days from today on that are overcommitted (more places reserved than their capacity), every 3 s
 * on a reader thread. The count is derived from the stored days, so it is correct whichever process changed
 * them. Feeds Stats, /metrics and the log.
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
 * Starts counting. `readers` must outlive the thread. Returns RESOURCE_EXHAUSTED if the thread cannot be
 * started.
 */
MUST_CHECK enum status overcommit_open(struct overcommit *overcommit, struct reader_pool *readers,
                                       struct error *error);

/*
 * Stops the thread. A read may still be in flight. Call it before reader_pool_close. Does nothing if never
 * opened.
 */
void overcommit_close(struct overcommit *overcommit);

/* Writes a text such as "2 days overcommitted". Returns false if there are none. Any thread. */
bool overcommit_degraded(struct overcommit *overcommit, char *out, size_t size);

#endif
