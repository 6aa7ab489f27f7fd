#include "problem_log.h"

#include <string.h>

#include "base/clock.h"

enum { ALTERNATING_S = 60 };

bool problem_log_is_due(struct problem_log *log, const char problem[RPC_DEGRADED_TEXT_SIZE], int64_t now_ns)
{
    if (problem[0] == '\0' || strcmp(problem, log->last) == 0)
        return false;
    if (strcmp(problem, log->before) == 0 && now_ns - log->at_ns < ALTERNATING_S * (int64_t)NS_PER_S)
        return false;
    memcpy(log->before, log->last, sizeof log->before);
    memcpy(log->last, problem, sizeof log->last);
    log->at_ns = now_ns;
    return true;
}
