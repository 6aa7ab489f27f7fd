#include "live_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/civil.h"

#include "screening/v1/words.h"

/* ---- start positions ---- */

void live_reset(struct live_listener *listener)
{
    listener->behind = false;
    listener->booking_seq = listener->live->position.booking;
    live_send(listener, "reset", "{}");
}

void live_place(struct live_listener *listener)
{
    const struct live *live = listener->live;
    uint64_t head = live->position.booking;
    if (!live->known[LIVE_BOOKING]) {
        listener->behind = true;
    } else if (!listener->has_begin) {
        listener->has_begin = true;
        listener->booking_seq = head;
        listener->behind = false;
    } else if (listener->booking_seq > head || head - listener->booking_seq > LIVE_REPLAY_MAX) {
        live_reset(listener);
    } else {
        listener->behind = listener->booking_seq < head;
    }
}

/* Marks all hospitals with listeners as changed, because events may have been missed. */
static void touch_all(struct live *live)
{
    size_t position = 0;
    struct live_hospital *hospital;
    while ((hospital = map_next(&live->hospitals, &position, NULL)) != NULL)
        live_days_touch(live, hospital, hospital->wanted.from, hospital->wanted.to, false);
}

/*
 * Records that the follower of the log has begun, and marks all days, because any may have changed. Returns
 * whether the follower had begun before.
 */
static bool note_begun(struct live *live, enum live_log log)
{
    bool again = live->known[log];
    live->known[log] = true;
    touch_all(live);
    return again;
}

/* If the followers of both logs have begun, sends every listener its position. */
static void send_positions(struct live *live)
{
    if (live->known[LIVE_BOOKING] && live->known[LIVE_HOSPITAL])
        LIST_EACH(struct live_listener, l, &live->listeners, node)
            live_send_position(l, "");
}

void live_booking_begun(void *context, uint64_t head_seq)
{
    struct live *live = context;
    monitor_lock(&live->monitor);
    live->position.booking = head_seq;
    bool again = note_begun(live, LIVE_BOOKING);
    LIST_EACH(struct live_listener, l, &live->listeners, node)
        if (l->customer != NULL && again)
            live_reset(l);
        else if (l->customer != NULL)
            live_place(l);
    send_positions(live);
    monitor_unlock(&live->monitor);
    ticker_wake(live->replayer);
}

void live_hospital_begun(void *context, uint64_t head_seq)
{
    struct live *live = context;
    monitor_lock(&live->monitor);
    live->position.hospital = head_seq;
    (void)note_begun(live, LIVE_HOSPITAL);
    send_positions(live);
    monitor_unlock(&live->monitor);
}

/* ---- the booking log ---- */

static void send_to_customer(struct live *live, const Screening__V1__Event *event)
{
    const struct live_customer *customer = live_registry_customer(live, event->booking->customer_id);
    if (customer == NULL)
        return;
    char *data = live_booking_data(event);
    LIST_EACH(struct live_listener, l, &customer->listeners, of_customer)
        if (!l->behind && event->seq > l->booking_seq)
            live_send_booking(l, event, data);
    free(data);
}

bool live_concerns_customers(const Screening__V1__Event *event)
{
    return event->body_case == SCREENING__V1__EVENT__BODY_BOOKING &&
           strcmp(event->type, SCREENING_EVENT_BOOKING_RELEASED) != 0;
}

/*
 * Requests another read of the day of the booking. hospital-svc takes the place before booking-svc confirms
 * the booking, so one read is enough. hospital-svc frees the place only after it has received the event that
 * ends the booking, so the day is then read several times (see AGAIN_LAST_MS in live_days.c).
 */
static void touch_day(struct live *live, const Screening__V1__Booking *booking)
{
    struct live_hospital *hospital = live_registry_hospital(live, booking->hospital_id);
    int32_t date;
    if (hospital == NULL || !civil_parse(booking->date, &date))
        return;
    bool frees = booking->status != SCREENING__V1__BOOKING_STATUS__REQUESTED &&
                 booking->status != SCREENING__V1__BOOKING_STATUS__CONFIRMED;
    live_days_touch(live, hospital, date, date, frees);
}

void live_booking_take(void *context, Screening__V1__Event *const *events, size_t count)
{
    struct live *live = context;
    monitor_lock(&live->monitor);
    for (size_t i = 0; i < count; i++) {
        live->position.booking = events[i]->seq;
        if (events[i]->body_case != SCREENING__V1__EVENT__BODY_BOOKING)
            continue;
        if (live_concerns_customers(events[i]))
            send_to_customer(live, events[i]);
        touch_day(live, events[i]->booking);
    }
    monitor_unlock(&live->monitor);
}

/* ---- the hospital log ---- */

static void touch_changed(struct live *live, const Screening__V1__ScreeningDayChanged *change)
{
    struct live_hospital *hospital = live_registry_hospital(live, change->hospital_id);
    int32_t date;
    if (hospital != NULL && change->day != NULL && civil_parse(change->day->date, &date))
        live_days_touch(live, hospital, date, date, false);
}

/* Marks the wanted days of a hospital that was registered or deleted. */
static void touch_hospital(struct live *live, const char *hospital_id)
{
    struct live_hospital *hospital = live_registry_hospital(live, hospital_id);
    if (hospital != NULL)
        live_days_touch(live, hospital, hospital->wanted.from, hospital->wanted.to, false);
}

void live_hospital_take(void *context, Screening__V1__Event *const *events, size_t count)
{
    struct live *live = context;
    monitor_lock(&live->monitor);
    for (size_t i = 0; i < count; i++) {
        live->position.hospital = events[i]->seq;
        if (events[i]->body_case == SCREENING__V1__EVENT__BODY_DAY)
            touch_changed(live, events[i]->day);
        else if (events[i]->body_case == SCREENING__V1__EVENT__BODY_HOSPITAL)
            touch_hospital(live, events[i]->hospital->hospital_id);
    }
    monitor_unlock(&live->monitor);
}
