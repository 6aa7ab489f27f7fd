#include "overcommit.h"

#include "store_reads.h"

#include <stdio.h>

#include "base/check.h"
#include "base/civil.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"

enum { INTERVAL_MS = 3000 };

static struct metric overcommitted_days =
    METRIC("hospital_dates_overcommitted", "Days from today on with more places reserved than they have");

static void note(struct overcommit *overcommit, int64_t days)
{
    metric_set(&overcommitted_days, days);
    if (atomic_exchange(&overcommit->days, days) != days)
        log_event(days > 0 ? LOG_WARN : LOG_INFO, "days.overcommitted", LOG_INT("days", days));
}

/*
 * Counts the overcommitted days. If the read fails, the count stays unchanged. Other code reports the state
 * of the database.
 */
static void run(struct reader_task *base, struct db *db)
{
    struct overcommit *overcommit = container_of(base, struct overcommit, task);
    struct error error = {0};
    int64_t days = 0;
    CHECK(atomic_load(&overcommit->reading));
    if (store_count_overcommitted(db, civil_day_at(clock_now_us()), &days, &error) == STATUS_OK)
        note(overcommit, days);
    atomic_store(&overcommit->reading, false);
}

static void refuse(struct reader_task *base, const struct error *error)
{
    struct overcommit *overcommit = container_of(base, struct overcommit, task);
    (void)error;
    CHECK(atomic_load(&overcommit->reading));
    atomic_store(&overcommit->reading, false);
}

static void tick(void *context, struct ticker *ticker)
{
    struct overcommit *overcommit = context;
    struct error error = {0};
    (void)ticker;
    if (atomic_exchange(&overcommit->reading, true))
        return;
    if (reader_pool_submit(overcommit->readers, &overcommit->task, &error) != STATUS_OK)
        atomic_store(&overcommit->reading, false); /* clients' reads have priority */
}

enum status overcommit_open(struct overcommit *overcommit, struct reader_pool *readers, struct error *error)
{
    *overcommit = (struct overcommit){.task = {.run = run, .refuse = refuse}, .readers = readers};
    metric_register(&overcommitted_days);
    return ticker_open(INTERVAL_MS, tick, overcommit, &overcommit->ticker, error);
}

void overcommit_close(struct overcommit *overcommit)
{
    ticker_close(overcommit->ticker);
    overcommit->ticker = NULL;
}

bool overcommit_degraded(struct overcommit *overcommit, char *out, size_t size)
{
    const long long days = atomic_load(&overcommit->days);
    if (days > 0)
        (void)snprintf(out, size, "%lld day%s overcommitted", days, days == 1 ? "" : "s");
    return days > 0;
}
