/*
 * Named places where a test build can be made to crash, stall or fail (docs/fault-points.md). Only a build
 * with SCREENING_FAULT_POINTS has them: elsewhere the macros vanish, names and all.
 *
 *     FAULT_POINT("writer.before_commit");
 *     status = FAULT_STATUS("db.commit", error);
 *
 * The environment arms them: SCREENING_FAULTS, entries separated by ';', each POINT:ACTION[@N|@N+|@N-M].
 * ACTION is crash (SIGKILL to itself), stall=MS, or, at a FAULT_STATUS, fail[=STATUS] (what the point
 * fails with if not given). @N is the N-th pass of that point in this process (1 if not given), @N+ each from
 * then on, @N-M those. Each firing is logged as fault.fired. Before main begins, a wrong entry ends the
 * program with one line on stderr and exit code 2; SCREENING_FAULTS=list prints the names of all points and
 * ends it with 0.
 */
#ifndef SCREENING_BASE_FAULT_POINT_H
#define SCREENING_BASE_FAULT_POINT_H

#include <stdbool.h>

#include "base/status.h"

#ifdef SCREENING_FAULT_POINTS

/* A statement: may crash or stall. Any thread. */
#define FAULT_POINT(name)                                                                                    \
    do {                                                                                                     \
        if (fault_points_armed) {                                                                            \
            fault_point_pass(name);                                                                          \
        }                                                                                                    \
    } while (0)

/* An enum status: OK, unless the point is to fail; then `error` (may be NULL) tells. Any thread. */
#define FAULT_STATUS(name, error) (fault_points_armed ? fault_point_status((name), (error)) : STATUS_OK)

#else

#define FAULT_POINT(name)         ((void)0)
#define FAULT_STATUS(name, error) ((void)(error), STATUS_OK)

#endif

/* Whether any point has an entry: all that a pass costs while none has. Set before other threads start. */
extern bool fault_points_armed;

/*
 * Arms what `entries` says in place of what was armed, and counts the passes from zero; "" or NULL: nothing.
 * INVALID_ARGUMENT, which names the entry and the rule: nothing is armed. While no other thread passes one.
 */
MUST_CHECK enum status fault_points_arm(const char *entries, struct error *error);

/* What the macros call. */
void fault_point_pass(const char *name);
MUST_CHECK enum status fault_point_status(const char *name, struct error *error);

#endif
