#include "stage.h"

#include <stdio.h>
#include <time.h>

#include "base/clock.h"

#include "screening/v1/booking.pb-c.h"
#include "screening/v1/hospital.pb-c.h"

enum { DAYS_AHEAD = 30, CALL_TIMEOUT_MS = 10000, AGREE_MS = 20000, LOOK_AGAIN_MS = 20 };

/* What the services say; false after a line on stderr. `*response` NULL: NOT_FOUND. */
static bool ask(struct rpc_client *client, const char *method, const ProtobufCMessage *request,
                struct arena *arena, ProtobufCMessage **response)
{
    struct rpc_client_call call = {.timeout_ms = CALL_TIMEOUT_MS};
    *response = NULL;
    enum status status = rpc_client_call_wait(client, method, request, &call, arena, response);
    if (status == STATUS_OK || status == STATUS_NOT_FOUND)
        return true;
    fprintf(stderr, "%s: %s %s\n", method, status_name(status), call.error.message);
    return false;
}

static void pause_ms(int ms)
{
    const struct timespec pause = {.tv_sec = 0, .tv_nsec = (long)ms * NS_PER_MS};
    nanosleep(&pause, NULL); /* an early end does no harm: the caller looks again */
}

bool stage_set(struct stage *stage, size_t day_count, uint32_t places)
{
    Screening__V1__ScreeningDay days[STAGE_DAYS_MAX], *pointers[STAGE_DAYS_MAX];
    Screening__V1__RegisterHospitalRequest request = SCREENING__V1__REGISTER_HOSPITAL_REQUEST__INIT;
    ProtobufCMessage *response;
    struct uuid id = uuid_v7();
    arena_init(&stage->arena);
    stage->day_count = day_count;
    stage->places = places;
    request.hospital_id = uuid_format(&id, stage->hospital_id);
    request.name = "bench";
    request.days = pointers;
    request.n_days = day_count;
    for (size_t i = 0; i < day_count; i++) {
        screening__v1__screening_day__init(&days[i]);
        days[i].date = civil_format(civil_day_at(clock_now_us()) + DAYS_AHEAD + (int32_t)i, stage->dates[i]);
        days[i].capacity = places;
        pointers[i] = &days[i];
    }
    bool done = ask(stage->hospital, "RegisterHospital", &request.base, &stage->arena, &response);
    arena_reset(&stage->arena);
    return done;
}

void stage_fini(struct stage *stage)
{
    arena_fini(&stage->arena);
}

static bool count_taken(struct stage *stage, uint64_t *taken)
{
    Screening__V1__GetAvailabilityRequest request = SCREENING__V1__GET_AVAILABILITY_REQUEST__INIT;
    ProtobufCMessage *response;
    request.hospital_id = stage->hospital_id;
    request.from_date = stage->dates[0];
    request.to_date = stage->dates[stage->day_count - 1];
    if (!ask(stage->hospital, "GetAvailability", &request.base, &stage->arena, &response) || response == NULL)
        return false;
    const Screening__V1__GetAvailabilityResponse *found =
        (const Screening__V1__GetAvailabilityResponse *)response;
    *taken = 0;
    for (size_t i = 0; i < found->n_days; i++)
        *taken += stage->places - found->days[i]->remaining;
    arena_reset(&stage->arena);
    return true;
}

/* Waits for the end of one booking and adds it to the check. */
static bool look_up(struct stage *stage, const struct uuid *booking_id, int64_t end_ns,
                    struct stage_check *check)
{
    char text[UUID_TEXT_SIZE];
    Screening__V1__GetBookingRequest request = SCREENING__V1__GET_BOOKING_REQUEST__INIT;
    ProtobufCMessage *response;
    request.booking_id = uuid_format(booking_id, text);
    for (;;) {
        if (!ask(stage->booking, "GetBooking", &request.base, &stage->arena, &response))
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

bool stage_verify(struct stage *stage, const struct tally *tally, struct stage_check *check)
{
    int64_t end_ns = clock_monotonic_ns() + (int64_t)AGREE_MS * NS_PER_MS;
    *check = (struct stage_check){.confirmed = tally->confirmed};
    for (size_t i = 0; i < tally->open_count; i++)
        if (!look_up(stage, &tally->open[i], end_ns, check))
            return false;
    for (;;) {
        if (!count_taken(stage, &check->taken))
            return false;
        check->agrees = check->taken == check->confirmed + check->confirmed_late;
        if (check->agrees || clock_remaining_ms(end_ns) == 0)
            return true;
        pause_ms(LOOK_AGAIN_MS);
    }
}
