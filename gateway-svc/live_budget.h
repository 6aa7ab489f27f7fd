/*
 * Limits how many missed messages a customer at one address is sent again. A listener beyond the limit is
 * sent "reset" instead, which costs next to nothing.
 *
 * Pure; not for several threads at once.
 */
#ifndef GATEWAY_SVC_LIVE_BUDGET_H
#define GATEWAY_SVC_LIVE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

/* Messages at once, and per second from then on. */
enum { LIVE_BUDGET_BURST = 5000, LIVE_BUDGET_PER_S = 500, LIVE_BUDGET_KEYS = 1024 };

/* All zero: nobody was sent anything. Of more keys than it has room for some are forgotten. */
struct live_budget {
    struct live_budget_slot {
        uint64_t key;
        int64_t full_ns; /* the burst is used up as far as this lies in the future */
    } slots[LIVE_BUDGET_KEYS];
};

/* `address` NULL: not known. */
uint64_t live_budget_key(const char *address, const char *customer_id);

/* Whether one message more may be sent at the monotonic `now_ns`. */
bool live_budget_take(struct live_budget *budget, uint64_t key, int64_t now_ns);

#endif
