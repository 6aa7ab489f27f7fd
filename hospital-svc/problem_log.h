/*
 * Decides when to log a problem. A problem that recurs at every pairing attempt is not logged each time.
 * Pure.
 */
#ifndef SCREENING_HOSPITAL_SVC_PROBLEM_LOG_H
#define SCREENING_HOSPITAL_SVC_PROBLEM_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "rpc/server.h"

/*
 * The last two logged problems, and the time of the last one. All zero if no problem has been logged since
 * the last pairing.
 */
struct problem_log {
    char last[RPC_DEGRADED_TEXT_SIZE], before[RPC_DEGRADED_TEXT_SIZE];
    int64_t at_ns;
};

/*
 * Returns whether to log `problem` now; if so, records it. A problem is logged if it differs from the last
 * one logged. If it equals `before`, the two problems alternate, and it is logged only if the last one was
 * logged at least a minute ago. An empty text means no problem and is not logged. `now_ns` is monotonic.
 */
bool problem_log_is_due(struct problem_log *log, const char problem[RPC_DEGRADED_TEXT_SIZE], int64_t now_ns);

#endif
