/*
 * Confirmed bookings per second on one hot day: a closed loop with a fixed number of calls in flight.
 *
 *     booking_bench HOSPITAL_ADDRESS BOOKING_ADDRESS [IN_FLIGHT [SECONDS]]
 *
 * It fails unless every answer was CONFIRMED and remaining is what the answers say.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/civil.h"
#include "base/clock.h"
#include "base/uuid.h"
#include "rpc/channel.h"

#include "screening/v1/booking.pb-c.h"
#include "screening/v1/hospital.pb-c.h"

enum { CAPACITY = 100000, DAYS_AHEAD = 30, CALL_TIMEOUT_MS = 10000 };

struct bench {
    struct rpc_client *booking;
    char hospital_id[UUID_TEXT_SIZE], date[CIVIL_TEXT_SIZE];
    int64_t end_ns;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t ended;
    long confirmed, failed;
    int under_way;
};

/* One of the calls in flight; its answer sends the next. */
struct slot {
    struct rpc_client_call call; /* first: the channel fills it in */
    struct bench *bench;
};

static void send_next(struct slot *slot);

static void answered(const Screening__V1__Booking *booking, void *closure_data)
{
    struct slot *slot = closure_data;
    struct bench *bench = slot->bench;
    bool confirmed = booking != NULL && booking->status == SCREENING__V1__BOOKING_STATUS__CONFIRMED;
    pthread_mutex_lock(&bench->lock);
    bench->confirmed += confirmed;
    if (!confirmed && bench->failed++ == 0)
        fprintf(stderr, "first failure: %s %s\n", status_name(slot->call.error.status),
                slot->call.error.message);
    bool more = clock_monotonic_ns() < bench->end_ns && bench->confirmed + bench->under_way < CAPACITY;
    if (!more) {
        bench->under_way--;
        pthread_cond_signal(&bench->ended);
    }
    pthread_mutex_unlock(&bench->lock);
    if (more)
        send_next(slot);
}

static void send_next(struct slot *slot)
{
    struct uuid id = uuid_v7();
    char booking_id[UUID_TEXT_SIZE];
    Screening__V1__CreateBookingRequest request = SCREENING__V1__CREATE_BOOKING_REQUEST__INIT;
    request.booking_id = uuid_format(&id, booking_id);
    request.customer_id = booking_id + 24; /* another customer each time */
    request.customer_name = "name";
    request.hospital_id = slot->bench->hospital_id;
    request.date = slot->bench->date;
    slot->call = (struct rpc_client_call){.timeout_ms = CALL_TIMEOUT_MS};
    screening__v1__booking_service__create_booking(rpc_client_service(slot->bench->booking), &request,
                                                   answered, slot);
}

static struct rpc_channel *connect_to(const char *address)
{
    struct error error;
    struct rpc_channel *channel = NULL;
    const struct rpc_channel_options options = {.address = address, .connect_now = true};
    if (rpc_channel_open(&options, &channel, &error) != STATUS_OK) {
        fprintf(stderr, "%s: %s\n", address, error.message);
        exit(1);
    }
    return channel;
}

static const ProtobufCMessage *call_hospital(struct rpc_client *hospital, const char *method,
                                             const ProtobufCMessage *request, struct arena *arena)
{
    struct rpc_client_call call = {.timeout_ms = CALL_TIMEOUT_MS};
    ProtobufCMessage *response = NULL;
    if (rpc_client_call_wait(hospital, method, request, &call, arena, &response) != STATUS_OK) {
        fprintf(stderr, "%s: %s\n", method, call.error.message);
        exit(1);
    }
    return response;
}

static void register_hospital(struct bench *bench, struct rpc_client *hospital, struct arena *arena)
{
    Screening__V1__ScreeningDay day = SCREENING__V1__SCREENING_DAY__INIT, *days[] = {&day};
    Screening__V1__RegisterHospitalRequest request = SCREENING__V1__REGISTER_HOSPITAL_REQUEST__INIT;
    day.date = civil_format(civil_day_at(clock_now_us()) + DAYS_AHEAD, bench->date);
    day.capacity = CAPACITY;
    request.name = "bench";
    request.days = days;
    request.n_days = 1;
    const Screening__V1__Hospital *made =
        (const Screening__V1__Hospital *)call_hospital(hospital, "RegisterHospital", &request.base, arena);
    snprintf(bench->hospital_id, sizeof bench->hospital_id, "%s", made->hospital_id);
}

static long places_taken(struct bench *bench, struct rpc_client *hospital, struct arena *arena)
{
    Screening__V1__GetAvailabilityRequest request = SCREENING__V1__GET_AVAILABILITY_REQUEST__INIT;
    request.hospital_id = bench->hospital_id;
    request.from_date = request.to_date = bench->date;
    const Screening__V1__GetAvailabilityResponse *found =
        (const Screening__V1__GetAvailabilityResponse *)call_hospital(hospital, "GetAvailability",
                                                                      &request.base, arena);
    return found->n_days == 1 ? CAPACITY - (long)found->days[0]->remaining : -1;
}

/* Runs the closed loop; returns how long it took, in seconds. */
static double run(struct bench *bench, int in_flight, int seconds)
{
    struct slot *slots = calloc((size_t)in_flight, sizeof *slots);
    if (slots == NULL)
        exit(1);
    int64_t begun_ns = clock_monotonic_ns();
    bench->end_ns = begun_ns + (int64_t)seconds * MS_PER_S * NS_PER_MS;
    bench->under_way = in_flight;
    for (int i = 0; i < in_flight; i++) {
        slots[i].bench = bench;
        send_next(&slots[i]);
    }
    pthread_mutex_lock(&bench->lock);
    while (bench->under_way > 0)
        pthread_cond_wait(&bench->ended, &bench->lock);
    pthread_mutex_unlock(&bench->lock);
    free(slots);
    return (double)(clock_monotonic_ns() - begun_ns) / NS_PER_MS / MS_PER_S;
}

static int number(const char *text, int fallback)
{
    long value = text != NULL ? strtol(text, NULL, 10) : fallback;
    return value > 0 && value <= CAPACITY ? (int)value : fallback;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: booking_bench HOSPITAL_ADDRESS BOOKING_ADDRESS [IN_FLIGHT [SECONDS]]\n");
        return 2;
    }
    int in_flight = number(argc > 3 ? argv[3] : NULL, 64), seconds = number(argc > 4 ? argv[4] : NULL, 10);
    struct bench bench = {.lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};
    struct arena arena;
    struct error error;
    arena_init(&arena);
    if (civil_zone_set("Asia/Seoul", &error) != STATUS_OK)
        return 1;
    struct rpc_channel *hospital_channel = connect_to(argv[1]), *booking_channel = connect_to(argv[2]);
    struct rpc_client *hospital =
        rpc_client_create(hospital_channel, &screening__v1__hospital_service__descriptor);
    bench.booking = rpc_client_create(booking_channel, &screening__v1__booking_service__descriptor);
    register_hospital(&bench, hospital, &arena);
    double took_s = run(&bench, in_flight, seconds);
    long taken = places_taken(&bench, hospital, &arena);
    printf("%d in flight, %.1f s: %ld confirmed, %.0f/s, %ld failed, %ld places taken\n", in_flight, took_s,
           bench.confirmed, (double)bench.confirmed / took_s, bench.failed, taken);
    rpc_client_destroy(bench.booking);
    rpc_client_destroy(hospital);
    rpc_channel_close(booking_channel);
    rpc_channel_close(hospital_channel);
    arena_fini(&arena);
    return bench.failed == 0 && taken == bench.confirmed ? 0 : 1;
}
