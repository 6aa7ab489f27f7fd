/*
 * Named places where a test build can be made to crash, stall or fail (docs/fault-points.md). They exist only
 * in builds with SCREENING_FAULT_POINTS; otherwise the macros expand to nothing and drop the names.
 *
 *     FAULT_POINT("writer.before_commit");
 *     status = FAULT_STATUS("db.commit", error);
 *
 * The environment variable SCREENING_FAULTS arms them. It holds entries separated by ';', each
 * POINT:ACTION[@N|@N+|@N-M]. ACTION is crash (the process sends itself SIGKILL), stall=MS or, at a
 * FAULT_STATUS, fail[=STATUS] (default: the status of that point). @N is the N-th pass of the point in this
 * process (default 1), @N+ is that pass and all later ones, @N-M is a range. Each firing is logged as
 * fault.fired. Entries are parsed before main. A wrong one ends the program with one line on stderr and exit
 * code 2. SCREENING_FAULTS=list prints the names of all points and exits with 0.
 */
#ifndef SCREENING_BASE_FAULT_POINT_H
#define SCREENING_BASE_FAULT_POINT_H

#include <stdbool.h>

#include "base/status.h"

#ifdef SCREENING_FAULT_POINTS

/* May crash or stall the process. A statement. Any thread. */
#define FAULT_POINT(name)                                                                                    \
    do {                                                                                                     \
        if (fault_points_armed) {                                                                            \
            fault_point_pass(name);                                                                          \
        }                                                                                                    \
    } while (0)

/*
 * Returns OK, or the armed status if the point is armed to fail. Then it also fills `error` (may be NULL).
 * Any thread.
 */
#define FAULT_STATUS(name, error) (fault_points_armed ? fault_point_status((name), (error)) : STATUS_OK)

#else

#define FAULT_POINT(name)         ((void)0)
#define FAULT_STATUS(name, error) ((void)(error), STATUS_OK)

#endif

/* Whether any point is armed. An unarmed pass costs only this test. Set before other threads start. */
extern bool fault_points_armed;

/*
 * Replaces the armed entries with `entries` and resets the pass counters. "" or NULL disarms all. For a wrong
 * entry, returns INVALID_ARGUMENT, which names the entry and the rule, and disarms all. Call it while no
 * other thread passes a point.
 */
MUST_CHECK enum status fault_points_arm(const char *entries, struct error *error);

/* Use the macros instead. */
void fault_point_pass(const char *name);
MUST_CHECK enum status fault_point_status(const char *name, struct error *error);

#endif
