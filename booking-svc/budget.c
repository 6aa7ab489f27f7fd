#include "budget.h"

#include "base/check.h"
#include "base/clock.h"

/* The part of a caller's budget that is reserved for the settle. */
enum { SETTLE_MARGIN_MS = 20 };

/* Returns the time at which a placement's budget ends, or INT64_MAX for a placement of the settler. */
static int64_t budget_end_ns(const struct placement *placement)
{
    return placement->command.by_settler ? INT64_MAX : placement->deadline_ns;
}

struct queue budget_drop_expired(struct queue *placements, int64_t now_ns, size_t *kept)
{
    struct queue all = queue_take_all(placements), spent = {0};
    *kept = 0;
    for (struct queue_node *node; (node = queue_take(&all)) != NULL;) {
        struct placement *placement = container_of(node, struct placement, node);
        if (budget_end_ns(placement) - (SETTLE_MARGIN_MS + 1) * (int64_t)NS_PER_MS > now_ns) {
            (*kept)++;
            queue_put(placements, node);
            continue;
        }
        placement->command.outcome = placement->tried ? PLACEMENT_UNKNOWN : PLACEMENT_BUDGET_SPENT;
        placement->command.reason = "";
        queue_put(&spent, node);
    }
    return spent;
}

uint32_t budget_timeout_ms(const struct queue *placements, uint32_t most_ms, int64_t now_ns)
{
    int64_t longest_ns = 0;
    LIST_EACH(const struct placement, placement, placements, node)
        longest_ns = budget_end_ns(placement) > longest_ns ? budget_end_ns(placement) : longest_ns;
    int64_t left_ms = (longest_ns - now_ns) / NS_PER_MS - SETTLE_MARGIN_MS;
    CHECK(left_ms > 0); /* budget_drop_expired has kept only placements with time left */
    return left_ms < most_ms ? (uint32_t)left_ms : most_ms;
}
