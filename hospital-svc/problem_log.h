/* When a problem is logged that each attempt to pair meets: once, not at each attempt. Pure rules. */
#ifndef SCREENING_HOSPITAL_SVC_PROBLEM_LOG_H
#define SCREENING_HOSPITAL_SVC_PROBLEM_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "rpc/server.h"

/* The last two problems that were logged, and when the last one was. All zero: none since the last pairing.
 */
struct problem_log {
    char last[RPC_DEGRADED_TEXT_SIZE], before[RPC_DEGRADED_TEXT_SIZE];
    int64_t at_ns;
};

/*
 * Whether `problem` is to be logged now, which is then noted. It is if it is not the one that was logged
 * last; if it is the one before that, the two alternate, and it is logged a minute after the last at the
 * earliest. An empty problem is none. `now_ns` is monotonic.
 */
bool problem_log_is_due(struct problem_log *log, const char problem[RPC_DEGRADED_TEXT_SIZE], int64_t now_ns);

#endif
