/*
 * One thread reads the days of hospitals, one hospital at a time. A single call reads both the days that new
 * listeners need and those that may have changed. The thread reads a hospital at most once in PACE_MS,
 * however many bookings change its days, and reads it again after the last change.
 */
#include "live_internal.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/array.h"
#include "base/check.h"
#include "base/civil.h"
#include "base/clock.h"
#include "base/log.h"
#include "protojson/protojson.h"

#include "screening/v1/hospital.pb-c.h"

enum { PACE_MS = 200, RETRY_MS = 500 };

/*
 * hospital-svc frees a place when it receives the event that ends the booking, and publishes no event of its
 * own. So the thread rechecks the day after 0.2, 0.4, 0.8, ... s, for 25 s in total.
 */
enum { AGAIN_LAST_MS = 12800 };

static const int64_t PACE_NS = (int64_t)PACE_MS * NS_PER_MS;

struct live_days {
    struct live *live;
    struct rpc_channel *channel;
    struct rpc_client *client;
    pthread_t thread;
    bool closing; /* guarded by live->monitor */
    /* The following members are private to the thread. */
    struct arena arena; /* holds the current reading */
    bool failing;       /* whether the last reading failed; only the first failure of a series is logged */
};

/*
 * The days of a hospital to read in one call. Stores the hospital's id, because the struct live_hospital may
 * be freed and recreated during the call.
 */
struct reading {
    struct uuid hospital_id;
    struct live_range days;
};

/* ---- the days to read; the caller holds the lock ---- */

static void list(struct live *live, struct live_hospital *hospital)
{
    if (hospital->listed)
        return;
    hospital->listed = true;
    list_add(&live->to_read, &hospital->to_read);
}

static void unlist(struct live_hospital *hospital)
{
    if (!hospital->listed)
        return;
    hospital->listed = false;
    list_remove(&hospital->to_read);
}

/* Schedules a reading at `at_ns`, or later if the pace requires that, unless an earlier one is scheduled. */
static void schedule(struct live *live, struct live_hospital *hospital, int64_t at_ns)
{
    int64_t pace_ns = hospital->read_ns + PACE_NS;
    if (hospital->read_ns != 0 && pace_ns > at_ns)
        at_ns = pace_ns;
    if (at_ns >= hospital->due_ns)
        return;
    hospital->due_ns = at_ns;
    list(live, hospital);
    monitor_notify(&live->monitor);
}

void live_days_want(struct live *live, struct live_listener *listener)
{
    listener->days = DAYS_WANTED;
    schedule(live, listener->hospital, clock_monotonic_ns());
}

void live_days_touch(struct live *live, struct live_hospital *hospital, int32_t from, int32_t to, bool late)
{
    if (from < hospital->wanted.from)
        from = hospital->wanted.from;
    if (to > hospital->wanted.to)
        to = hospital->wanted.to;
    if (from > to)
        return; /* no listener wants these days */
    int64_t now_ns = clock_monotonic_ns();
    live_range_cover(&hospital->touched, from, to);
    if (late) {
        live_range_cover(&hospital->again, from, to);
        hospital->again_pause_ns = PACE_NS;
        hospital->again_ns = now_ns + PACE_NS;
    }
    schedule(live, hospital, now_ns);
}

/* Drops the days before the first day that a listener wants. */
static void forget_past(struct live_hospital *hospital)
{
    size_t past = 0;
    while (past < hospital->day_count && hospital->days[past].date < hospital->wanted.from)
        past++;
    CHECK(past <= hospital->day_count);
    if (past > 0)
        memmove(hospital->days, hospital->days + past, (hospital->day_count - past) * sizeof *hospital->days);
    hospital->day_count -= past;
}

void live_days_move(struct live *live, struct live_listener *listener, int32_t today)
{
    struct live_hospital *hospital = listener->hospital;
    int32_t fresh;
    if (!live_window_move(&listener->window, today, &fresh))
        return;
    if (fresh < listener->fresh_from)
        listener->fresh_from = fresh;
    live_registry_measure(hospital);
    forget_past(hospital);
    live_days_touch(live, hospital, fresh, listener->window.to, false);
}

void live_days_forget(struct live_hospital *hospital)
{
    CHECK(hospital->listeners.first == NULL);
    unlist(hospital);
    free(hospital->days);
}

static void look_again(struct live *live, struct live_hospital *hospital, int64_t now_ns)
{
    live_days_touch(live, hospital, hospital->again.from, hospital->again.to, false);
    hospital->again_pause_ns *= 2;
    hospital->again_ns = now_ns + hospital->again_pause_ns;
    if (hospital->again_pause_ns > (int64_t)AGAIN_LAST_MS * NS_PER_MS) {
        hospital->again_ns = INT64_MAX;
        hospital->again = LIVE_RANGE_EMPTY;
    }
}

/*
 * Schedules the rechecks that are due. Returns the most overdue hospital, or NULL if none is due. Sets
 * *next_ns to the earliest due time.
 */
static struct live_hospital *find_due(struct live *live, int64_t *next_ns)
{
    int64_t now_ns = clock_monotonic_ns();
    struct live_hospital *found = NULL;
    *next_ns = INT64_MAX;
    LIST_EACH(struct live_hospital, h, &live->to_read, to_read) {
        if (h->again_ns <= now_ns)
            look_again(live, h, now_ns);
        int64_t at_ns = h->due_ns < h->again_ns ? h->due_ns : h->again_ns;
        if (at_ns < *next_ns)
            *next_ns = at_ns;
        if (h->due_ns <= now_ns && (found == NULL || h->due_ns < found->due_ns))
            found = h;
    }
    return found;
}

/* Adds the days to the reading. Returns false, and adds nothing, if the range would not fit in one call. */
static bool include(struct reading *reading, int32_t from, int32_t to)
{
    struct live_range all = reading->days;
    live_range_cover(&all, from, to);
    if (all.to - all.from >= LIVE_DAYS_MAX)
        return false;
    reading->days = all;
    return true;
}

/*
 * Moves the start of `touched` to its first day that a listener wants, because windows may be centuries
 * apart. Empties `touched` if there is no such day.
 */
static void skip_unheard(struct live_hospital *hospital)
{
    int32_t first = INT32_MAX;
    LIST_EACH(const struct live_listener, l, &hospital->listeners, of_hospital) {
        int32_t from = l->window.from > hospital->touched.from ? l->window.from : hospital->touched.from;
        if (from <= l->window.to && from < first)
            first = from;
    }
    if (first <= hospital->touched.to)
        hospital->touched.from = first;
    else
        hospital->touched = LIVE_RANGE_EMPTY;
}

/* Moves `touched` into the reading: all of it, its beginning, or nothing, depending on what fits. */
static void take_touched(struct live_hospital *hospital, struct reading *reading)
{
    skip_unheard(hospital);
    if (hospital->touched.from > hospital->touched.to)
        return;
    if (!include(reading, hospital->touched.from, hospital->touched.to)) {
        if (reading->days.from <= reading->days.to)
            return; /* the touched days are left for the next reading */
        reading->days.from = hospital->touched.from;
        reading->days.to = hospital->touched.from + LIVE_DAYS_MAX - 1;
        hospital->touched.from = reading->days.to + 1;
        skip_unheard(hospital);
        return;
    }
    hospital->touched = LIVE_RANGE_EMPTY;
}

/*
 * Prepares a reading. Returns false if there is nothing to read, for example because the listeners have left.
 */
static bool begin_reading(struct live *live, struct live_hospital *hospital, struct reading *reading)
{
    *reading = (struct reading){.hospital_id = hospital->id, .days = LIVE_RANGE_EMPTY};
    bool wanted = false;
    LIST_EACH(struct live_listener, l, &hospital->listeners, of_hospital) {
        if (l->days != DAYS_WANTED)
            continue;
        if (include(reading, l->window.from, l->window.to))
            l->days = DAYS_BEING_READ;
        else
            wanted = true;
    }
    take_touched(hospital, reading);
    bool any = reading->days.from <= reading->days.to;
    if (any)
        hospital->read_ns = clock_monotonic_ns();
    hospital->due_ns = INT64_MAX;
    if (wanted || hospital->touched.from <= hospital->touched.to)
        schedule(live, hospital, hospital->read_ns);
    if (hospital->due_ns == INT64_MAX && hospital->again_ns == INT64_MAX)
        unlist(hospital);
    return any;
}

/* ---- results; the caller holds the lock ---- */

/* Stores the day. Returns false if the same day, with the same values, was already stored. */
static bool note_day(struct live_hospital *hospital, const struct live_day *day)
{
    size_t at = 0;
    while (at < hospital->day_count && hospital->days[at].date < day->date)
        at++;
    struct live_day *known = hospital->days + at;
    if (at < hospital->day_count && known->date == day->date) {
        bool same = known->capacity == day->capacity && known->remaining == day->remaining &&
                    known->version == day->version;
        *known = *day;
        return !same;
    }
    if (array_reserve(&hospital->days, &hospital->day_capacity, hospital->day_count + 1) != STATUS_OK)
        return true;
    known = hospital->days + at;
    memmove(known + 1, known, (hospital->day_count - at) * sizeof *known);
    *known = *day;
    hospital->day_count++;
    CHECK(hospital->day_count <= hospital->day_capacity);
    return true;
}

static char *day_data(struct live_days *reader, const struct live_hospital *hospital,
                      const Screening__V1__ScreeningDay *day)
{
    char id[UUID_TEXT_SIZE];
    char *text = NULL;
    struct error error;
    if (protojson_message_to_text(&day->base, PROTOJSON_EMIT_DEFAULTS, &text, &error) != STATUS_OK)
        return NULL;
    char *data = arena_printf(&reader->arena, "{\"hospitalId\":\"%s\",\"day\":%s}",
                              uuid_format(&hospital->id, id), text);
    free(text);
    return data;
}

static void announce_day(struct live_days *reader, struct live_hospital *hospital,
                         const Screening__V1__ScreeningDay *day)
{
    struct live_day now = {.capacity = day->capacity, .remaining = day->remaining, .version = day->version};
    if (!civil_parse(day->date, &now.date))
        return;
    bool changed = note_day(hospital, &now);
    char *data = day_data(reader, hospital, day);
    LIST_EACH(struct live_listener, l, &hospital->listeners, of_hospital)
        if (now.date >= l->window.from && now.date <= l->window.to &&
            (l->days == DAYS_BEING_READ || (l->days == DAYS_SENT && (changed || now.date >= l->fresh_from))))
            live_send(l, "availability", data);
}

/* Sets the state of the listeners whose days are being read. */
static void end_reading(struct live_hospital *hospital, enum days_state state)
{
    LIST_EACH(struct live_listener, l, &hospital->listeners, of_hospital)
        if (l->days == DAYS_BEING_READ)
            l->days = state;
}

/* Marks the fresh days of this reading as sent. */
static void end_fresh(struct live_hospital *hospital, const struct reading *reading)
{
    LIST_EACH(struct live_listener, l, &hospital->listeners, of_hospital) {
        if (l->fresh_from >= reading->days.from && l->fresh_from <= reading->days.to)
            l->fresh_from = reading->days.to + 1;
        if (l->fresh_from > l->window.to)
            l->fresh_from = INT32_MAX;
    }
}

static void announce_days(struct live_days *reader, struct live_hospital *hospital,
                          const struct reading *reading,
                          const Screening__V1__GetAvailabilityResponse *response)
{
    hospital->gone[0] = '\0';
    for (size_t i = 0; i < response->n_days; i++)
        announce_day(reader, hospital, response->days[i]);
    end_reading(hospital, DAYS_SENT);
    end_fresh(hospital, reading);
}

static void announce_gone(struct live_days *reader, struct live_hospital *hospital, const struct error *error)
{
    const char *reason = error->reason[0] != '\0' ? error->reason : status_name(error->status);
    bool changed = strcmp(hospital->gone, reason) != 0;
    char id[UUID_TEXT_SIZE];
    char *data = arena_printf(&reader->arena, "{\"hospitalId\":\"%s\",\"reason\":\"%s\"}",
                              uuid_format(&hospital->id, id), reason);
    CHECK(strlen(reason) < sizeof hospital->gone);
    memcpy(hospital->gone, reason, strlen(reason) + 1);
    hospital->day_count = 0;
    LIST_EACH(struct live_listener, l, &hospital->listeners, of_hospital)
        if (l->days == DAYS_BEING_READ || (l->days == DAYS_SENT && changed))
            live_send(l, "hospital-gone", data);
    end_reading(hospital, DAYS_SENT);
}

/* Undoes begin_reading, and schedules a retry. */
static void put_back(struct live *live, struct live_hospital *hospital, const struct reading *reading)
{
    end_reading(hospital, DAYS_WANTED);
    live_range_cover(&hospital->touched, reading->days.from, reading->days.to);
    schedule(live, hospital, clock_monotonic_ns() + (int64_t)RETRY_MS * NS_PER_MS);
}

/* ---- the thread ---- */

static enum status read_days(struct live_days *reader, const struct reading *reading,
                             Screening__V1__GetAvailabilityResponse **out, struct error *error)
{
    /* Without a connection, a call would wait for one until its budget ended. */
    if (!rpc_channel_connected(reader->channel))
        return error_set(error, STATUS_UNAVAILABLE, NULL, "no connection");
    char id[UUID_TEXT_SIZE], from[CIVIL_TEXT_SIZE], to[CIVIL_TEXT_SIZE];
    Screening__V1__GetAvailabilityRequest request = SCREENING__V1__GET_AVAILABILITY_REQUEST__INIT;
    request.hospital_id = uuid_format(&reading->hospital_id, id);
    request.from_date = civil_format(reading->days.from, from);
    request.to_date = civil_format(reading->days.to, to);
    struct rpc_client_call call = {.idempotent = true, .own_token = true};
    ProtobufCMessage *response = NULL;
    enum status status = rpc_client_call_wait(reader->client, "GetAvailability", &request.base, &call,
                                              &reader->arena, &response);
    *out = (Screening__V1__GetAvailabilityResponse *)response;
    *error = call.error;
    return status;
}

static void note_outcome(struct live_days *reader, enum status status, const struct error *error)
{
    bool failing = status != STATUS_OK;
    if (failing && !reader->failing)
        log_event(LOG_WARN, "live.days_failed", LOG_TEXT("status", status_name(status)),
                  LOG_TEXT("why", error->message));
    reader->failing = failing;
}

static void use_answer(struct live_days *reader, const struct reading *reading, enum status status,
                       const Screening__V1__GetAvailabilityResponse *response, const struct error *error)
{
    struct live *live = reader->live;
    struct live_hospital *hospital = map_get(&live->hospitals, &reading->hospital_id);
    bool gone = status == STATUS_NOT_FOUND || status == STATUS_FAILED_PRECONDITION;
    note_outcome(reader, gone ? STATUS_OK : status, error);
    if (hospital == NULL)
        return;
    if (status == STATUS_OK)
        announce_days(reader, hospital, reading, response);
    else if (gone)
        announce_gone(reader, hospital, error);
    else
        put_back(live, hospital, reading);
}

/*
 * Waits until a reading is due, and prepares it. Returns false when the thread must end. The caller holds the
 * lock.
 */
static bool next_reading(struct live_days *reader, struct reading *reading)
{
    struct live *live = reader->live;
    while (!reader->closing) {
        int64_t next_ns;
        struct live_hospital *hospital = find_due(live, &next_ns);
        if (hospital == NULL)
            monitor_wait(&live->monitor, next_ns);
        else if (begin_reading(live, hospital, reading))
            return true;
    }
    return false;
}

static void *run(void *context)
{
    struct live_days *reader = context;
    struct live *live = reader->live;
    struct reading reading;
    monitor_lock(&live->monitor);
    while (next_reading(reader, &reading)) {
        monitor_unlock(&live->monitor);
        struct error error = {0};
        Screening__V1__GetAvailabilityResponse *response = NULL;
        arena_reset(&reader->arena);
        enum status status = read_days(reader, &reading, &response, &error);
        monitor_lock(&live->monitor);
        use_answer(reader, &reading, status, response, &error);
    }
    monitor_unlock(&live->monitor);
    return NULL;
}

enum status live_days_open(struct live *live, struct rpc_channel *channel, struct live_days **out,
                           struct error *error)
{
    struct live_days *reader = calloc(1, sizeof *reader);
    if (reader != NULL) {
        reader->live = live;
        reader->channel = channel;
        reader->client = rpc_client_create(channel, &screening__v1__hospital_service__descriptor);
        arena_init(&reader->arena);
    }
    if (reader == NULL || reader->client == NULL || pthread_create(&reader->thread, NULL, run, reader) != 0) {
        if (reader != NULL)
            rpc_client_destroy(reader->client);
        free(reader);
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "no memory or no thread to read days");
    }
    *out = reader;
    return STATUS_OK;
}

void live_days_close(struct live_days *reader)
{
    if (reader == NULL)
        return;
    monitor_lock(&reader->live->monitor);
    reader->closing = true;
    monitor_notify(&reader->live->monitor);
    monitor_unlock(&reader->live->monitor);
    pthread_join(reader->thread, NULL);
    rpc_client_destroy(reader->client);
    arena_fini(&reader->arena);
    free(reader);
}
