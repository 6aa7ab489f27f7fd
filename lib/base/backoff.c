#include "base/backoff.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/uuid.h"

int64_t backoff_next_ns(struct backoff *backoff)
{
    CHECK(backoff->first_ms > 0 && backoff->first_ms <= backoff->max_ms);
    uint32_t length_ms = backoff->next_ms > 0 ? backoff->next_ms : backoff->first_ms;
    backoff->next_ms = length_ms < backoff->max_ms / 2 ? length_ms * 2 : backoff->max_ms;
    const struct uuid random = uuid_v4();
    int64_t half_ns = (int64_t)length_ms * NS_PER_MS / 2;
    return half_ns + half_ns * random.bytes[0] / UINT8_MAX;
}

void backoff_reset(struct backoff *backoff)
{
    backoff->next_ms = 0;
}
