#include "months.h"

#include <stdbool.h>

#include "base/check.h"

static bool is_within(const struct timeline_month *month, int64_t instant_us)
{
    return instant_us >= month->from_us && instant_us < month->to_us;
}

static const struct timeline_month *find(const struct months *months, int64_t instant_us)
{
    for (size_t i = months->count; i > 0; i--)
        if (is_within(&months->known[i - 1], instant_us))
            return &months->known[i - 1];
    return NULL;
}

static enum status open_month(struct months *months, struct db *db, int64_t instant_us,
                              const struct timeline_month **out, struct error *error)
{
    struct timeline_month month;
    TRY(store_open_month(db, instant_us, &month, error));
    if (months->count == MONTHS_REMEMBERED)
        months->count = 0; /* a replay has this many months; the current ones are soon added again */
    CHECK(months->count < MONTHS_REMEMBERED);
    months->known[months->count] = month;
    *out = &months->known[months->count++];
    return STATUS_OK;
}

enum status months_open(struct months *months, struct db *db, const struct entry_row *entries, size_t count,
                        struct error *error)
{
    const struct timeline_month *month = NULL; /* the previous entry's month, usually also the next entry's */
    for (size_t i = 0; i < count; i++) {
        int64_t instant_us = entries[i].occurred_at_us;
        if (month != NULL && is_within(month, instant_us))
            continue;
        month = find(months, instant_us);
        if (month == NULL)
            TRY(open_month(months, db, instant_us, &month, error));
    }
    return STATUS_OK;
}

void months_forget(struct months *months)
{
    months->count = 0;
}
