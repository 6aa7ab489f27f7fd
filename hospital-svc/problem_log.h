/*
 * Decides when to log a problem that every attempt to pair meets. It is logged once, not at each attempt.
 * Pure rules.
 */
#ifndef SCREENING_HOSPITAL_SVC_PROBLEM_LOG_H
#define SCREENING_HOSPITAL_SVC_PROBLEM_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "rpc/server.h"

/*
 * The last two logged problems, and the time of the last one. All zero if there was none since the last
 * pairing.
 */
struct problem_log {
    char last[RPC_DEGRADED_TEXT_SIZE], before[RPC_DEGRADED_TEXT_SIZE];
    int64_t at_ns;
};

/*
 * Returns whether to log `problem` now, and then records it. A problem is logged if it differs from the last
 * logged one. If it equals the one before that, the two alternate, and it is logged a minute after the last
 * at the earliest. An empty text means no problem. `now_ns` is monotonic.
 */
bool problem_log_is_due(struct problem_log *log, const char problem[RPC_DEGRADED_TEXT_SIZE], int64_t now_ns);

#endif
