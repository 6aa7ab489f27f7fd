#include "settler.h"

#include "reserver.h"
#include "store.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault_point.h"
#include "base/log.h"
#include "base/map.h"
#include "base/metrics.h"
#include "base/ticker.h"

enum {
    TICK_MS = 1000,
    PAGE = 256,
    LEFT_BEHIND_MS =
        3000, /* not queued, and still REQUESTED so long after we first saw it: nobody works on it */
    BACKOFF_FIRST_MS = 500, /* of one booking, doubled after each attempt */
    BACKOFF_MAX_MS = 4000,
};

static struct metric backlog = METRIC("settler_backlog", "REQUESTED bookings that nobody works on");
static struct metric taken_total = METRIC("settler_taken_total", "Bookings taken up by the settler");

/* What the settler remembers of a REQUESTED booking. */
struct sighting {
    int64_t first_seen_ns;
    int64_t next_try_ns;
    uint32_t backoff_ms;
    uint64_t scan;          /* the last one that met it */
    bool from_before_start; /* whoever worked on it is gone */
};

struct settler {
    struct work_table *table;
    struct reserver *reserver;
    char *database_url;
    struct db *db; /* NULL until it can be opened */
    struct ticker *ticker;
    int64_t started_at_us;
    bool scanned;         /* once, all of it */
    struct map sightings; /* booking_id -> struct sighting; those met by the last scan */
    uint64_t scan;
    size_t left;      /* in this scan: in nobody's hands */
    size_t room;      /* in this scan: how many more may be taken up */
    struct uuid last; /* in this scan: where the page ended */
    size_t page_count;
};

static struct sighting *see(struct settler *settler, const struct booking *booking, int64_t now_ns)
{
    struct sighting *sighting = map_get(&settler->sightings, &booking->booking_id);
    if (sighting == NULL) {
        sighting = calloc(1, sizeof *sighting);
        if (sighting == NULL || map_put(&settler->sightings, &booking->booking_id, sighting) != STATUS_OK) {
            free(sighting);
            return NULL;
        }
        /* Later the wall clock may have been set back, and what was taken in after the start look older. */
        sighting->from_before_start = !settler->scanned && booking->created_at_us < settler->started_at_us;
        sighting->first_seen_ns = now_ns;
        sighting->backoff_ms = BACKOFF_FIRST_MS;
    }
    sighting->scan = settler->scan;
    return sighting;
}

/*
 * What was there before the start is ours at once: whoever worked on it is gone, or it does no harm to ask
 * again. Not so what this process itself took in a moment ago and has not put to work yet.
 */
static bool is_due(const struct booking *booking, const struct sighting *sighting, int64_t now_ns)
{
    if (sighting->next_try_ns != 0)
        return now_ns >= sighting->next_try_ns;
    return sighting->from_before_start || booking->announced ||
           now_ns - sighting->first_seen_ns >= LEFT_BEHIND_MS * (int64_t)NS_PER_MS;
}

static enum status consider(void *context, const struct booking *booking)
{
    struct settler *settler = context;
    settler->last = booking->booking_id;
    settler->page_count++;
    if (work_is_under_way(settler->table, &booking->booking_id)) {
        /* Seen all the same: the three seconds count from the first sight. */
        return see(settler, booking, clock_monotonic_ns()) != NULL ? STATUS_OK : STATUS_UNAVAILABLE;
    }
    int64_t now_ns = clock_monotonic_ns();
    struct sighting *sighting = see(settler, booking, now_ns);
    if (sighting == NULL)
        return STATUS_UNAVAILABLE;
    settler->left++;
    if (settler->room == 0 || !is_due(booking, sighting, now_ns))
        return STATUS_OK;
    settler->room--;
    sighting->next_try_ns = now_ns + (int64_t)sighting->backoff_ms * NS_PER_MS;
    sighting->backoff_ms =
        sighting->backoff_ms * 2 < BACKOFF_MAX_MS ? sighting->backoff_ms * 2 : BACKOFF_MAX_MS;
    metric_add(&taken_total, 1);
    FAULT_POINT("booking.settler.take_up");
    return work_take_up(settler->table, booking, NULL);
}

/* Forgets the bookings that this scan did not meet: they are settled. */
static enum status forget_settled(struct settler *settler)
{
    struct map kept;
    map_init(&kept, sizeof(struct uuid));
    size_t position = 0;
    const void *key;
    enum status status = STATUS_OK;
    for (struct sighting *sighting; (sighting = map_next(&settler->sightings, &position, &key)) != NULL;) {
        if (sighting->scan != settler->scan || status != STATUS_OK)
            free(sighting);
        else
            status = map_put(&kept, key, sighting);
    }
    map_fini(&settler->sightings);
    settler->sightings = kept;
    return status;
}

static enum status scan(struct settler *settler, struct ticker *ticker, struct error *error)
{
    settler->scan++;
    settler->left = 0;
    settler->room = reserver_room(settler->reserver);
    settler->last = (struct uuid){{0}};
    do {
        settler->page_count = 0;
        struct uuid after = settler->last;
        enum status status = store_list_requested(settler->db, &after, PAGE, consider, settler, error);
        if (status != STATUS_OK)
            return status;
    } while (settler->page_count == PAGE && !ticker_stopping(ticker));
    metric_set(&backlog, (int64_t)settler->left);
    settler->scanned = !ticker_stopping(ticker);
    return forget_settled(settler);
}

static void tick(void *context, struct ticker *ticker)
{
    struct settler *settler = context;
    struct error error = {0};
    enum status status = STATUS_OK;
    if (settler->db == NULL)
        status = db_open(settler->database_url, DB_READ_ONLY, &settler->db, &error);
    if (status == STATUS_OK)
        status = scan(settler, ticker, &error);
    if (status != STATUS_OK)
        log_event(LOG_DEBUG, "settler.failed", LOG_TEXT("status", status_name(status)),
                  LOG_TEXT("message", error.message));
}

static void destroy(struct settler *settler)
{
    size_t position = 0;
    for (struct sighting *sighting; (sighting = map_next(&settler->sightings, &position, NULL)) != NULL;)
        free(sighting);
    map_fini(&settler->sightings);
    db_close(settler->db);
    free(settler->database_url);
    free(settler);
}

enum status settler_open(const char *database_url, struct work_table *table, struct reserver *reserver,
                         struct settler **out, struct error *error)
{
    struct settler *settler = calloc(1, sizeof *settler);
    if (settler == NULL)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "out of memory");
    map_init(&settler->sightings, sizeof(struct uuid));
    settler->table = table;
    settler->reserver = reserver;
    settler->started_at_us = clock_now_us();
    settler->database_url = strdup(database_url);
    metric_register(&backlog);
    metric_register(&taken_total);
    if (settler->database_url == NULL) {
        destroy(settler);
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "out of memory");
    }
    enum status status = ticker_open(TICK_MS, tick, settler, &settler->ticker, error);
    if (status != STATUS_OK) {
        destroy(settler);
        return status;
    }
    *out = settler;
    return STATUS_OK;
}

void settler_close(struct settler *settler)
{
    if (settler == NULL)
        return;
    ticker_close(settler->ticker);
    destroy(settler);
}
