#include "prepare.h"

#include "batch_pair.h"
#include "store.h"
#include "store_reads.h"

#include "base/log.h"
#include "db/migrate.h"
#include "events/event_log.h"
#include "events/follower.h"

#include "screening/v1/words.h"

enum { LIVE_LISTED_MAX = 100 };

static void list_live(void *context, const struct uuid *booking_id)
{
    (void)context;
    log_event(LOG_WARN, "reservation.live", LOG_UUID("booking_id", booking_id),
              LOG_TEXT("request_id", "follow-log-from-start"));
}

/*
 * Deletes the cursor and the dead letters of the log. Every effect of the log is idempotent, but a booking
 * whose events were lost with the log's tail never releases its place. hospital-svc cannot identify such
 * bookings, so this function logs the number of live reservations and the newest of them, which are likely to
 * include the lost bookings.
 */
static enum status follow_log_from_start(struct db *db, struct error *error)
{
    int64_t count = 0;
    TRY(event_log_give_up(db, SCREENING_LOG_BOOKING, NULL, error));
    TRY(store_list_live(db, LIVE_LISTED_MAX, &count, list_live, NULL, error));
    log_event(LOG_WARN, "booking_log.followed_from_start", LOG_INT("live_reservations", count),
              LOG_INT("listed_at_most", LIVE_LISTED_MAX));
    return STATUS_OK;
}

enum status prepare(struct db *db, const struct settings *settings, struct error *error)
{
    TRY(db_claim(db, "hospital", error));
    TRY(events_migrate(db, error));
    TRY(db_migrate(db, "hospital", HOSPITAL_MIGRATIONS, HOSPITAL_MIGRATION_COUNT, error));
    if (settings->follow_log_from_start[0] != '\0')
        TRY(follow_log_from_start(db, error));
    if (settings->acknowledge_recovery)
        return store_acknowledge_recovery(db, error);
    return STATUS_OK;
}
