/*
 * Limits the number of missed messages that the gateway resends to a customer at one address. A listener
 * beyond the limit gets a single message, "reset", instead. Pure; one thread at a time.
 */
#ifndef SCREENING_GATEWAY_SVC_LIVE_BUDGET_H
#define SCREENING_GATEWAY_SVC_LIVE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The maximum number of messages in a burst, and per second after it. LIVE_BUDGET_KEYS is the number of
 * slots.
 */
enum { LIVE_BUDGET_BURST = 5000, LIVE_BUDGET_PER_S = 500, LIVE_BUDGET_KEYS = 1024 };

/* Initially all zero. Keys share slots, so a new key may evict another one. */
struct live_budget {
    struct live_budget_slot {
        uint64_t key;
        int64_t full_ns; /* time at which the whole burst is available again */
    } slots[LIVE_BUDGET_KEYS];
};

/* Returns the key of a customer at an address. `address` is NULL if it is unknown. */
uint64_t live_budget_key(const char *address, const char *customer_id);

/*
 * Takes one message from the budget of `key` at the monotonic time `now_ns`. Returns false if the budget is
 * used up.
 */
bool live_budget_take(struct live_budget *budget, uint64_t key, int64_t now_ns);

#endif
