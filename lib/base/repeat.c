#include "base/repeat.h"

#include "base/clock.h"

enum { EVERY_MS = 60000 };

bool repeat_is_due(struct repeat *repeat, int64_t now_ns)
{
    if (repeat->lasts && now_ns < repeat->next_ns)
        return false;
    repeat->lasts = true;
    repeat->next_ns = now_ns + EVERY_MS * (int64_t)NS_PER_MS;
    return true;
}

bool repeat_end(struct repeat *repeat)
{
    bool lasted = repeat->lasts;
    repeat->lasts = false;
    return lasted;
}
