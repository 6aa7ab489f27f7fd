/*
 * --rebuild: a second schema is filled from the beginning of both logs, then takes the place of the live one.
 *
 * A history-svc that runs meanwhile goes on: its statements meet the new tables after the swap, and since its
 * cursors are moved by compare-and-set, what it applied in between is fetched and applied once more. One that
 * stopped following, because a log had diverged, looks at its cursors only when it is started again.
 */
#ifndef HISTORY_SVC_REBUILD_H
#define HISTORY_SVC_REBUILD_H

#include "feed.h"

#include <stdint.h>

#include "base/status.h"
#include "db/db.h"

struct rebuild_counts {
    uint64_t applied_seq[FEED_LOG_COUNT];
    uint64_t dead_letters;
};

/*
 * Rebuilds from the publishers of `options`, whose schema is ignored. `db` is any connection; it stays the
 * caller's. From the main thread. After an error the live schema is as it was: UNAVAILABLE when
 * nothing moved for `patience_s` seconds (a publisher is not there, the database went away), CANCELLED when a
 * signal asked to stop, FAILED_PRECONDITION when a log can't be followed to its head.
 */
MUST_CHECK enum status rebuild_run(const struct feed_options *options, struct db *db, uint32_t patience_s,
                                   struct rebuild_counts *out, struct error *error);

#endif
