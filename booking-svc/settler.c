#include "settler.h"

#include "reserver.h"
#include "store.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fault_point.h"
#include "base/log.h"
#include "base/map.h"
#include "base/metrics.h"
#include "base/ticker.h"

enum {
    TICK_MS = 1000,
    PAGE = 256,
    /*
     * Maximum number of resumed bookings in flight; the rest of a backlog waits. With 48, a backlog makes the
     * p99 of the other bookings at most three times as long (bench P17). With 512, the p99 became five times
     * as long, but the backlog was settled in a third of the time.
     */
    TAKEN_UP_MAX = 48,
    WAIT_MS = 5, /* poll interval while TAKEN_UP_MAX are in flight */
    /*
     * The time after which a booking counts as left behind, if it is still REQUESTED and not announced. The
     * time starts when the settler first sees the booking.
     */
    LEFT_BEHIND_MS = 3000,
    BACKOFF_FIRST_MS = 500, /* first pause for a booking; doubles after each attempt, up to BACKOFF_MAX_MS */
    BACKOFF_MAX_MS = 4000,
    /* Beyond this number, a booking for which is_ours is true is tried in every round. */
    SIGHTINGS_MAX = 16384,
};

static struct metric backlog = METRIC("settler_backlog", "REQUESTED bookings that nobody works on");
static struct metric taken_total = METRIC("settler_taken_total", "Bookings taken up by the settler");

/* A REQUESTED booking that is not due yet, or that the settler has resumed. */
struct sighting {
    int64_t first_seen_ns;
    int64_t next_try_ns; /* 0 = not yet tried */
    uint32_t backoff_ms;
    uint64_t round; /* number of the last round that saw the booking */
};

struct settler {
    struct placements *table;
    struct reserver *reserver;
    char *database_url;
    struct db *db; /* NULL until the database can be opened */
    struct ticker *ticker;
    int64_t started_at_us;
    bool went_round;      /* whether a full round has ended */
    struct map sightings; /* booking_id -> struct sighting */
    uint64_t round;
    size_t put_off; /* placement_counts.put_off when this round began */
    /*
     * The number of further bookings that the breaker allows the settler to resume in this round. SIZE_MAX
     * means no limit.
     */
    size_t room;
    int64_t counted_ns;        /* when the backlog was last counted */
    struct booking page[PAGE]; /* without their strings */
    size_t page_count;
};

/*
 * Returns the sighting of a booking, and adds it if necessary. Returns NULL if there is no room or no memory.
 */
static struct sighting *remember(struct settler *settler, const struct booking *booking, int64_t now_ns)
{
    struct sighting *sighting = map_get(&settler->sightings, &booking->booking_id);
    if (sighting == NULL && settler->sightings.count < SIGHTINGS_MAX) {
        sighting = calloc(1, sizeof *sighting);
        if (sighting == NULL || map_put(&settler->sightings, &booking->booking_id, sighting) != STATUS_OK) {
            free(sighting);
            return NULL;
        }
        sighting->first_seen_ns = now_ns;
        sighting->backoff_ms = BACKOFF_FIRST_MS;
    }
    CHECK(settler->sightings.count <= SIGHTINGS_MAX);
    if (sighting != NULL)
        sighting->round = settler->round;
    return sighting;
}

/*
 * Returns whether the settler may retry a booking. Bookings left by a previous process can be retried
 * immediately. Even if that process has not ended yet, repeating a Reserve is harmless. A booking that this
 * process has just accepted but not yet started must not be retried. After the first round created_at is not
 * used, because new bookings look old if the wall clock was set back.
 */
static bool is_ours(const struct settler *settler, const struct booking *booking)
{
    return booking->announced || (!settler->went_round && booking->created_at_us < settler->started_at_us);
}

static bool is_due(struct settler *settler, const struct booking *booking, int64_t now_ns)
{
    const struct sighting *sighting = map_get(&settler->sightings, &booking->booking_id);
    if (sighting != NULL || !is_ours(settler, booking))
        sighting = remember(settler, booking, now_ns);
    if (sighting != NULL && sighting->next_try_ns != 0)
        return now_ns >= sighting->next_try_ns;
    return is_ours(settler, booking) ||
           (sighting != NULL && now_ns - sighting->first_seen_ns >= LEFT_BEHIND_MS * (int64_t)NS_PER_MS);
}

/* Records an attempt. The pause after each attempt is twice the previous one, up to BACKOFF_MAX_MS. */
static void note_try(struct settler *settler, const struct booking *booking, int64_t now_ns)
{
    struct sighting *sighting = remember(settler, booking, now_ns);
    if (sighting == NULL)
        return;
    sighting->next_try_ns = now_ns + (int64_t)sighting->backoff_ms * NS_PER_MS;
    sighting->backoff_ms =
        sighting->backoff_ms * 2 < BACKOFF_MAX_MS ? sighting->backoff_ms * 2 : BACKOFF_MAX_MS;
}

static enum status count_backlog(struct settler *settler, struct error *error)
{
    int64_t now_ns = clock_monotonic_ns(), requested = 0;
    if (settler->counted_ns != 0 && now_ns - settler->counted_ns < TICK_MS * (int64_t)NS_PER_MS)
        return STATUS_OK;
    TRY(store_count_requested(settler->db, &requested, error));
    settler->counted_ns = now_ns;
    int64_t in_work = (int64_t)placements_counts(settler->table).in_flight;
    metric_set(&backlog, requested > in_work ? requested - in_work : 0);
    return STATUS_OK;
}

/* Waits while the maximum number of bookings is in flight. Returns false if the round must end. */
static bool wait_for_turn(struct settler *settler, struct ticker *ticker)
{
    struct error error;
    while (placements_counts(settler->table).taken_up >= TAKEN_UP_MAX)
        if (!ticker_sleep(ticker, WAIT_MS) || count_backlog(settler, &error) != STATUS_OK)
            return false;
    /* hospital-svc has postponed a booking. End the round, or younger bookings would overtake it. */
    if (placements_counts(settler->table).put_off != settler->put_off)
        return false;
    /* A closed breaker allows any number of bookings. */
    size_t room = reserver_room(settler->reserver);
    if (room == SIZE_MAX || room < settler->room)
        settler->room = room;
    return settler->room > 0 && !ticker_stopping(ticker);
}

/* Resumes a booking if it is due. Returns false if the round must end. */
static bool consider(struct settler *settler, const struct booking *booking, struct ticker *ticker)
{
    int64_t now_ns = clock_monotonic_ns();
    if (!is_due(settler, booking, now_ns) || placement_is_under_way(settler->table, &booking->booking_id))
        return true;
    if (!wait_for_turn(settler, ticker))
        return false;
    CHECK(settler->room > 0);
    settler->room -= settler->room != SIZE_MAX;
    note_try(settler, booking, clock_monotonic_ns());
    metric_add(&taken_total, 1);
    FAULT_POINT("settler.take_up");
    return placement_take_up(settler->table, booking, NULL) == STATUS_OK;
}

/* Forgets the bookings that this round has not seen, because they are settled. */
static enum status forget_settled(struct settler *settler)
{
    struct map kept;
    map_init(&kept, sizeof(struct uuid));
    size_t position = 0;
    const void *key;
    enum status status = STATUS_OK;
    for (struct sighting *sighting; (sighting = map_next(&settler->sightings, &position, &key)) != NULL;)
        if (sighting->round != settler->round || status != STATUS_OK)
            free(sighting);
        else
            status = map_put(&kept, key, sighting);
    map_fini(&settler->sightings);
    settler->sightings = kept;
    return status;
}

static enum status take_row(void *context, const struct booking *booking)
{
    struct settler *settler = context;
    struct booking *kept = &settler->page[settler->page_count++];
    *kept = *booking;
    kept->customer_id = kept->customer_name = kept->status_reason = NULL; /* no longer valid */
    return STATUS_OK;
}

/*
 * Processes either the announced or the other REQUESTED bookings, oldest first, page by page. No statement is
 * open between two pages, because processing a page may take long. Sets *going to false if the round must
 * end.
 */
static enum status go_through(struct settler *settler, bool announced, bool *going, struct ticker *ticker,
                              struct error *error)
{
    struct requested_filter filter = {.announced = announced, .after_us = INT64_MIN};
    do {
        settler->page_count = 0;
        TRY(store_list_requested(settler->db, &filter, PAGE, take_row, settler, error));
        for (size_t i = 0; i < settler->page_count && *going; i++)
            *going = consider(settler, &settler->page[i], ticker);
        filter.after_us = settler->page[PAGE - 1].created_at_us;
        filter.after = settler->page[PAGE - 1].booking_id;
    } while (*going && settler->page_count == PAGE);
    return STATUS_OK;
}

/*
 * Runs one round. Starts with the bookings that are not announced, because a crash left them behind and their
 * clients may retry.
 */
static enum status go_round(struct settler *settler, struct ticker *ticker, struct error *error)
{
    settler->round++;
    settler->put_off = placements_counts(settler->table).put_off;
    settler->room = reserver_room(settler->reserver);
    bool going = settler->room > 0;
    if (going)
        TRY(go_through(settler, false, &going, ticker, error));
    if (going)
        TRY(go_through(settler, true, &going, ticker, error));
    if (!going)
        return STATUS_OK;
    settler->went_round = true;
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
        status = count_backlog(settler, &error);
    if (status == STATUS_OK)
        status = go_round(settler, ticker, &error);
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

enum status settler_open(const char *database_url, struct placements *table, struct reserver *reserver,
                         struct settler **out, struct error *error)
{
    struct settler *settler = calloc(1, sizeof *settler);
    if (settler == NULL)
        return error_no_memory(error);
    map_init(&settler->sightings, sizeof(struct uuid));
    settler->table = table;
    settler->reserver = reserver;
    settler->started_at_us = clock_now_us();
    settler->database_url = strdup(database_url);
    metric_register(&backlog);
    metric_register(&taken_total);
    enum status status = settler->database_url == NULL
                             ? error_no_memory(error)
                             : ticker_open(TICK_MS, tick, settler, &settler->ticker, error);
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
