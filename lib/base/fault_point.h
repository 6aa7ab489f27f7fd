/*
 * Named places where a test build can be made to crash, stall or fail (docs/fault-points.md). They exist only
 * in builds with SCREENING_FAULT_POINTS. In other builds the macros have no effect and drop the names.
 *
 *     FAULT_POINT("writer.before_commit");
 *     status = FAULT_STATUS("db.commit", error);
 *
 * The environment variable SCREENING_FAULTS arms them. It holds entries separated by ';', each
 * POINT:ACTION[@N|@N+|@N-M]. ACTION is crash (the process sends itself SIGKILL), stall=MS or, at a
 * FAULT_STATUS, fail[=STATUS] (default: the status of that point). @N is the N-th pass through the point in
 * this process (default 1), @N+ is that pass and all later ones, @N-M is a range. Each firing is logged as
 * fault.fired. Entries are parsed before main. An invalid entry ends the program with one line on stderr and
 * exit code 2. SCREENING_FAULTS=list prints the names of all points and exits with 0.
 */
#ifndef SCREENING_BASE_FAULT_POINT_H
#define SCREENING_BASE_FAULT_POINT_H

#include <stdbool.h>

#include "base/status.h"

#ifdef SCREENING_FAULT_POINTS

/* If armed, crashes the process or stalls the calling thread. Use it as a statement. Any thread. */
#define FAULT_POINT(name)                                                                                    \
    do {                                                                                                     \
        if (fault_points_armed) {                                                                            \
            fault_point_pass(name);                                                                          \
        }                                                                                                    \
    } while (0)

/*
 * If the point is armed to fail, returns the armed status and fills `error` (may be NULL). Otherwise returns
 * OK. Any thread.
 */
#define FAULT_STATUS(name, error) (fault_points_armed ? fault_point_status((name), (error)) : STATUS_OK)

#else

#define FAULT_POINT(name)         ((void)0)
#define FAULT_STATUS(name, error) ((void)(error), STATUS_OK)

#endif

/*
 * Whether any point is armed. While none is armed, a pass only tests this flag. Set before other threads
 * start.
 */
extern bool fault_points_armed;

/*
 * Replaces the armed entries with `entries` and resets the pass counters. "" or NULL disarms all. Returns
 * INVALID_ARGUMENT with the entry and the rule for an invalid entry, and RESOURCE_EXHAUSTED when out of
 * memory. In both cases all points are disarmed. No other thread may pass a point during the call.
 */
MUST_CHECK enum status fault_points_arm(const char *entries, struct error *error);

/* Use the macros instead. */
void fault_point_pass(const char *name);
MUST_CHECK enum status fault_point_status(const char *name, struct error *error);

#endif
