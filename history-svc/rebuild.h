/*
 * --rebuild: fills a second schema from the beginning of both logs, then swaps it with the live one.
 *
 * A running history-svc keeps working, and after the swap its statements use the new tables. Because it moves
 * its cursors by compare-and-set, it fetches the events after the new cursors again and applies them. A
 * follower whose log diverged looks at its cursor about once a second, and resumes from the new one.
 */
#ifndef SCREENING_HISTORY_SVC_REBUILD_H
#define SCREENING_HISTORY_SVC_REBUILD_H

#include "intake.h"

#include <stdint.h>

#include "base/status.h"
#include "db/db.h"

struct rebuild_counts {
    uint64_t applied_seq[INTAKE_LOG_COUNT];
    uint64_t dead_letters;
};

/*
 * Rebuilds from the publishers in `options`, whose schema is ignored. `db` may be any connection to the same
 * database. The caller keeps ownership of `db`. Main thread only. After an error the live schema is
 * unchanged. Returns UNAVAILABLE if there was no progress for `patience_s` seconds (a publisher or the
 * database is unreachable), CANCELLED after a stop signal, and FAILED_PRECONDITION if a log cannot be
 * followed to its head.
 */
MUST_CHECK enum status rebuild_run(const struct intake_options *options, struct db *db, uint32_t patience_s,
                                   struct rebuild_counts *out, struct error *error);

#endif
