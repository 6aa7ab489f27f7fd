#include "db/damage.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/repeat.h"
#include "db/db.h"

struct metric db_damaged =
    METRIC("database_damaged", "1 from the moment on at which the database was found damaged");
static atomic_bool seen;
static struct repeat lines; /* guarded by `lock` */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static bool is_line_due(void)
{
    pthread_mutex_lock(&lock);
    bool due = repeat_is_due(&lines, clock_monotonic_ns());
    pthread_mutex_unlock(&lock);
    return due;
}

enum status db_damage_report(struct error *error, const char *which, const char *doing, const char *cause,
                             const char *code)
{
    atomic_store(&seen, true);
    metric_set(&db_damaged, 1);
    if (is_line_due())
        log_event(LOG_ERROR, "database.damaged", LOG_TEXT("doing", doing), LOG_TEXT("message", cause),
                  LOG_TEXT("code", code));
    return error_set(error, STATUS_UNAVAILABLE, DB_DAMAGED,
                     "database: %s is damaged: restore a backup (docs/operations.md, Restore); %s: %s (%s)",
                     which == NULL ? "it" : which, doing, cause, code);
}

bool db_damage_seen(void)
{
    return atomic_load(&seen);
}

bool db_is_damaged(const struct error *error)
{
    return strcmp(error->reason, DB_DAMAGED) == 0;
}

bool db_may_heal(const struct error *error)
{
    return status_is_transient(error->status) && !db_is_damaged(error);
}
