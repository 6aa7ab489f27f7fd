#include "budget.h"

#include "base/clock.h"

/* The part of a caller's budget that the settle needs. */
enum { SETTLE_MARGIN_MS = 20 };

/* The end of a work's budget; INT64_MAX for the settler's works. */
static int64_t budget_end_ns(const struct work *work)
{
    return work->command.by_settler ? INT64_MAX : work->deadline_ns;
}

struct work *budget_sift(struct work **chain, int64_t now_ns, size_t *kept)
{
    struct work *spent = NULL, **spent_end = &spent;
    *kept = 0;
    for (struct work **at = chain; *at != NULL;) {
        struct work *work = *at;
        if (budget_end_ns(work) - (SETTLE_MARGIN_MS + 1) * (int64_t)NS_PER_MS > now_ns) {
            (*kept)++;
            at = &work->next;
            continue;
        }
        *at = work->next;
        work->next = NULL;
        work->command.outcome = work->tried ? RESERVE_UNKNOWN : RESERVE_BUDGET_SPENT;
        work->command.reason = "";
        *spent_end = work;
        spent_end = &work->next;
    }
    return spent;
}

uint32_t budget_timeout_ms(const struct work *works, uint32_t most_ms, int64_t now_ns)
{
    int64_t longest_ns = 0;
    for (const struct work *work = works; work != NULL; work = work->next)
        longest_ns = budget_end_ns(work) > longest_ns ? budget_end_ns(work) : longest_ns;
    int64_t left_ms = (longest_ns - now_ns) / NS_PER_MS - SETTLE_MARGIN_MS;
    return left_ms < most_ms ? (uint32_t)left_ms : most_ms;
}
