#include "live_budget.h"

#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/digest.h"

static const int64_t MESSAGE_NS = NS_PER_S / LIVE_BUDGET_PER_S;

uint64_t live_budget_key(const char *address, const char *customer_id)
{
    uint8_t of_address[DIGEST_SIZE], of_customer[DIGEST_SIZE];
    uint64_t key, more;
    const char *text = address != NULL ? address : "";
    digest_sha256_128(text, strlen(text), of_address);
    digest_sha256_128(customer_id, strlen(customer_id), of_customer);
    memcpy(&key, of_address, sizeof key);
    memcpy(&more, of_customer, sizeof more);
    return key ^ more;
}

bool live_budget_take(struct live_budget *budget, uint64_t key, int64_t now_ns)
{
    struct live_budget_slot *slot = &budget->slots[key % LIVE_BUDGET_KEYS];
    if (slot->key != key)
        *slot = (struct live_budget_slot){.key = key};
    int64_t full_ns = (slot->full_ns > now_ns ? slot->full_ns : now_ns) + MESSAGE_NS;
    if (full_ns - now_ns > MESSAGE_NS * LIVE_BUDGET_BURST)
        return false;
    CHECK(slot->key == key && full_ns > now_ns);
    slot->full_ns = full_ns;
    return true;
}
