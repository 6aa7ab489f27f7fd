#include "budget.h"

#include "base/clock.h"

/* The part of a caller's budget that the settle needs. */
enum { SETTLE_MARGIN_MS = 20 };

/* The end of a placement's budget; INT64_MAX for the settler's placements. */
static int64_t budget_end_ns(const struct placement *placement)
{
    return placement->command.by_settler ? INT64_MAX : placement->deadline_ns;
}

struct placement *budget_drop_expired(struct placement **chain, int64_t now_ns, size_t *kept)
{
    struct placement *spent = NULL, **spent_end = &spent;
    *kept = 0;
    for (struct placement **at = chain; *at != NULL;) {
        struct placement *placement = *at;
        if (budget_end_ns(placement) - (SETTLE_MARGIN_MS + 1) * (int64_t)NS_PER_MS > now_ns) {
            (*kept)++;
            at = &placement->next;
            continue;
        }
        *at = placement->next;
        placement->next = NULL;
        placement->command.outcome = placement->tried ? RESERVE_UNKNOWN : RESERVE_BUDGET_SPENT;
        placement->command.reason = "";
        *spent_end = placement;
        spent_end = &placement->next;
    }
    return spent;
}

uint32_t budget_timeout_ms(const struct placement *placements, uint32_t most_ms, int64_t now_ns)
{
    int64_t longest_ns = 0;
    for (const struct placement *placement = placements; placement != NULL; placement = placement->next)
        longest_ns = budget_end_ns(placement) > longest_ns ? budget_end_ns(placement) : longest_ns;
    int64_t left_ms = (longest_ns - now_ns) / NS_PER_MS - SETTLE_MARGIN_MS;
    return left_ms < most_ms ? (uint32_t)left_ms : most_ms;
}
