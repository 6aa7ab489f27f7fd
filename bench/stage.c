#include "stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

#include "screening/v1/booking.pb-c.h"
#include "screening/v1/hospital.pb-c.h"

enum { DAYS_AHEAD = 30, CALL_TIMEOUT_MS = 10000, AGREE_MS = 20000, LOOK_AGAIN_MS = 20, LIST_PAGE = 500 };

/*
 * Makes a call. For NOT_FOUND, sets *response to NULL. On any other failure, prints a line on stderr and
 * returns false.
 */
static bool ask(struct stage *stage, struct rpc_client *client, const char *method,
                const ProtobufCMessage *request, ProtobufCMessage **response)
{
    struct rpc_client_call call = {.timeout_ms = CALL_TIMEOUT_MS, .authorization = stage->authorization};
    *response = NULL;
    enum status status = rpc_client_call_wait(client, method, request, &call, &stage->arena, response);
    if (status == STATUS_OK || status == STATUS_NOT_FOUND)
        return true;
    fprintf(stderr, "%s: %s %s\n", method, status_name(status), call.error.message);
    return false;
}

static void pause_ms(int ms)
{
    const struct timespec pause = {.tv_sec = 0, .tv_nsec = (long)ms * NS_PER_MS};
    nanosleep(&pause, NULL); /* may return early; the caller checks again */
}

/* ---- before the load ---- */

/* Registers one more hospital, with `count` days from stage->days[first] on. */
static bool register_hospital(struct stage *stage, size_t first, size_t count)
{
    Screening__V1__ScreeningDay days[STAGE_HOSPITAL_DAYS], *pointers[STAGE_HOSPITAL_DAYS];
    Screening__V1__RegisterHospitalRequest request = SCREENING__V1__REGISTER_HOSPITAL_REQUEST__INIT;
    ProtobufCMessage *response;
    const struct uuid id = uuid_v7();
    const int32_t first_day = civil_day_at(clock_now_us()) + DAYS_AHEAD;
    for (size_t i = 0; i < count; i++) {
        struct stage_day *day = &stage->days[first + i];
        uuid_format(&id, day->hospital_id);
        screening__v1__screening_day__init(&days[i]);
        days[i].date = civil_format(first_day + (int32_t)i, day->date);
        days[i].capacity_presence_case = SCREENING__V1__SCREENING_DAY__CAPACITY_PRESENCE_CAPACITY;
        days[i].capacity = stage->places;
        pointers[i] = &days[i];
    }
    request.hospital_id = stage->days[first].hospital_id;
    request.name = "bench";
    request.days = pointers;
    request.n_days = count;
    bool done = ask(stage, stage->hospital, "RegisterHospital", &request.base, &response);
    arena_reset(&stage->arena);
    return done;
}

/* Returns the number of days of the hospital whose first day is stage->days[first]. */
static size_t days_of_hospital(const struct stage *stage, size_t first)
{
    size_t left = stage->day_count - first;
    return left < STAGE_HOSPITAL_DAYS ? left : STAGE_HOSPITAL_DAYS;
}

bool stage_set(struct stage *stage, size_t at_once, uint32_t places, bool goes_on)
{
    bool follow = goes_on && at_once < STAGE_HOSPITAL_DAYS;
    arena_init(&stage->arena);
    stage->at_once = at_once;
    stage->day_count = follow ? STAGE_HOSPITAL_DAYS / at_once * at_once : at_once;
    stage->places = places;
    stage->days = calloc(stage->day_count, sizeof *stage->days);
    if (stage->days == NULL) {
        fprintf(stderr, "screening-bench: out of memory\n");
        return false;
    }
    for (size_t first = 0; first < stage->day_count; first += STAGE_HOSPITAL_DAYS)
        if (!register_hospital(stage, first, days_of_hospital(stage, first)))
            return false;
    return true;
}

void stage_fini(struct stage *stage)
{
    free(stage->days);
    arena_fini(&stage->arena);
}

const struct stage_day *stage_day_of(const struct stage *stage, uint64_t number)
{
    uint64_t sold = number / (stage->at_once * (uint64_t)stage->places) * stage->at_once;
    return &stage->days[(sold + number % stage->at_once) % stage->day_count];
}

/* ---- after the load ---- */

static bool count_taken_at(struct stage *stage, size_t first, uint64_t *taken)
{
    Screening__V1__GetAvailabilityRequest request = SCREENING__V1__GET_AVAILABILITY_REQUEST__INIT;
    ProtobufCMessage *response;
    request.hospital_id = stage->days[first].hospital_id;
    request.from_date = stage->days[first].date;
    request.to_date = stage->days[first + days_of_hospital(stage, first) - 1].date;
    if (!ask(stage, stage->hospital, "GetAvailability", &request.base, &response) || response == NULL)
        return false;
    const Screening__V1__GetAvailabilityResponse *found =
        (const Screening__V1__GetAvailabilityResponse *)response;
    for (size_t i = 0; i < found->n_days; i++)
        *taken += stage->places - found->days[i]->remaining;
    arena_reset(&stage->arena);
    return true;
}

static bool count_live_at(struct stage *stage, size_t first, uint64_t *live)
{
    Screening__V1__ListBookingsRequest request = SCREENING__V1__LIST_BOOKINGS_REQUEST__INIT;
    ProtobufCMessage *response;
    char token[256] = "";
    request.hospital_id = stage->days[first].hospital_id;
    request.status = SCREENING__V1__BOOKING_STATUS__CONFIRMED;
    request.page_size = LIST_PAGE;
    request.page_token = token;
    do {
        if (!ask(stage, stage->booking, "ListBookings", &request.base, &response) || response == NULL)
            return false;
        const Screening__V1__ListBookingsResponse *found =
            (const Screening__V1__ListBookingsResponse *)response;
        *live += found->n_bookings;
        snprintf(token, sizeof token, "%s", found->next_page_token);
        arena_reset(&stage->arena);
    } while (token[0] != '\0');
    return true;
}

/* Sets *sum to the sum of what `count_at` counts for each hospital. */
static bool count(struct stage *stage, bool (*count_at)(struct stage *, size_t, uint64_t *), uint64_t *sum)
{
    *sum = 0;
    for (size_t first = 0; first < stage->day_count; first += STAGE_HOSPITAL_DAYS)
        if (!count_at(stage, first, sum))
            return false;
    return true;
}

/*
 * Waits until a booking has an outcome or `end_ns` has passed, and counts the booking in the check if it is
 * confirmed. Returns false if a call fails.
 */
static bool look_up(struct stage *stage, const struct uuid *booking_id, int64_t end_ns,
                    struct stage_check *check)
{
    char text[UUID_TEXT_SIZE];
    Screening__V1__GetBookingRequest request = SCREENING__V1__GET_BOOKING_REQUEST__INIT;
    ProtobufCMessage *response;
    request.booking_id = uuid_format(booking_id, text);
    for (;;) {
        if (!ask(stage, stage->booking, "GetBooking", &request.base, &response))
            return false;
        const Screening__V1__Booking *booking = (const Screening__V1__Booking *)response;
        bool open = booking != NULL && booking->status == SCREENING__V1__BOOKING_STATUS__REQUESTED;
        if (!open || clock_remaining_ms(end_ns) == 0) {
            check->confirmed_late +=
                booking != NULL && booking->status == SCREENING__V1__BOOKING_STATUS__CONFIRMED;
            arena_reset(&stage->arena);
            return true;
        }
        arena_reset(&stage->arena);
        pause_ms(LOOK_AGAIN_MS);
    }
}

/*
 * Waits until the number of taken places is at most the expected number, or `end_ns` has passed. hospital-svc
 * frees the places of cancelled bookings with a delay. So if more places are taken than expected, some may
 * still be freed. If fewer are taken, places are lost, and waiting does not help.
 */
static bool wait_for_places(struct stage *stage, int64_t end_ns, struct stage_check *check)
{
    for (;;) {
        if (!count(stage, count_taken_at, &check->taken))
            return false;
        if (check->taken <= check->expected || clock_remaining_ms(end_ns) == 0)
            return true;
        pause_ms(LOOK_AGAIN_MS);
    }
}

bool stage_verify(struct stage *stage, const struct tally *tally, bool must_sell_out,
                  struct stage_check *check)
{
    int64_t end_ns = clock_monotonic_ns() + (int64_t)AGREE_MS * NS_PER_MS;
    *check = (struct stage_check){.confirmed = tally->confirmed,
                                  .cancelled = tally->cancelled,
                                  .wrong = tally->wrong,
                                  .places = stage->day_count * (uint64_t)stage->places};
    for (size_t i = 0; i < tally->open_count; i++)
        if (!look_up(stage, &tally->open[i], end_ns, check))
            return false;
    check->expected = check->confirmed + check->confirmed_late - check->cancelled;
    check->listed = check->expected <= STAGE_LISTED_MAX;
    if (!wait_for_places(stage, end_ns, check) ||
        (check->listed && !count(stage, count_live_at, &check->live)))
        return false;
    check->sold_out = check->taken == check->places;
    check->agrees = check->taken == check->expected && (!check->listed || check->live == check->expected) &&
                    check->wrong == 0 && (check->sold_out || !must_sell_out);
    return true;
}
