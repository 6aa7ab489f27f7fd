/*
 * `lock` guards the list of idle calls and the counters. Answers come on nng's threads; in the closed loop
 * they send the next call, in the open loop only load_run does. A call that could not leave is answered
 * inside its sending: what sent the next one then would never return, so that load_run does it.
 */
#include "load.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

#include "screening/v1/booking.pb-c.h"

enum { CALLS_BLOCK = 512, RESEND_MS = 10, US_PER_S = 1000000, NS_PER_S = 1000000000 };

struct call;

struct load {
    const struct load_options *options;
    struct tally *tally;
    int64_t measure_from_ns, end_ns;
    pthread_mutex_t lock;
    pthread_cond_t all_answered;
    struct call *idle;
    struct block *blocks;
    size_t under_way;
    uint64_t begun; /* calls, also those of the warm-up */
    struct load_result result;
};

struct call {
    struct rpc_client_call rpc; /* first: the channel fills it in */
    struct load *load;
    struct call *next; /* while idle */
    struct uuid booking_id;
    int64_t begin_ns; /* open loop: as scheduled */
    int64_t sent_ns;
};

struct block {
    struct block *next;
    struct call calls[CALLS_BLOCK];
};

/* ---- answers ---- */

static const char *name_of_status(Screening__V1__BookingStatus status)
{
    const ProtobufCEnumValue *value =
        protobuf_c_enum_descriptor_get_value(&screening__v1__booking_status__descriptor, (int)status);
    return value != NULL ? value->name : "UNKNOWN";
}

static void count(struct call *call, const Screening__V1__Booking *booking)
{
    const struct error *error = &call->rpc.error;
    int64_t now_ns = clock_monotonic_ns();
    char name[TALLY_NAME_SIZE];
    if (booking != NULL)
        snprintf(name, sizeof name, "%s", name_of_status(booking->status));
    else
        snprintf(name, sizeof name, "%s%s%s", status_name(error->status), error->reason[0] != '\0' ? " " : "",
                 error->reason);
    tally_add(
        call->load->tally,
        &(struct tally_answer){
            .booking_id = call->booking_id,
            .name = name,
            .message = booking != NULL ? "" : error->message,
            .confirmed = booking != NULL && booking->status == SCREENING__V1__BOOKING_STATUS__CONFIRMED,
            .certain = booking == NULL && (!call->rpc.left || error->status == STATUS_RESOURCE_EXHAUSTED ||
                                           error->status == STATUS_FAILED_PRECONDITION),
            .counted = call->begin_ns >= call->load->measure_from_ns,
            .took_us = (now_ns - call->begin_ns) / NS_PER_US,
            .took_from_sending_us = (now_ns - call->sent_ns) / NS_PER_US,
        });
}

/* The call is idle from now on. */
static void put_back(struct load *load, struct call *call)
{
    pthread_mutex_lock(&load->lock);
    call->next = load->idle;
    load->idle = call;
    load->under_way--;
    if (load->under_way == 0)
        pthread_cond_signal(&load->all_answered);
    pthread_mutex_unlock(&load->lock);
}

static void send_call(struct call *call, int64_t begin_ns);

static void answered(const Screening__V1__Booking *booking, void *closure_data)
{
    struct call *call = closure_data;
    struct load *load = call->load;
    count(call, booking);
    int64_t now_ns = clock_monotonic_ns();
    if (load->options->rate == 0 && call->rpc.left && now_ns < load->end_ns)
        send_call(call, now_ns);
    else
        put_back(load, call);
}

/* ---- sending ---- */

static void send_call(struct call *call, int64_t begin_ns)
{
    struct load *load = call->load;
    const struct load_options *options = load->options;
    pthread_mutex_lock(&load->lock);
    uint64_t number = load->begun++;
    if (begin_ns >= load->measure_from_ns)
        load->result.sent++;
    pthread_mutex_unlock(&load->lock);
    char booking_id[UUID_TEXT_SIZE];
    call->booking_id = uuid_v7();
    call->begin_ns = begin_ns;
    call->sent_ns = clock_monotonic_ns();
    call->rpc = (struct rpc_client_call){.timeout_ms = options->budget_ms};
    Screening__V1__CreateBookingRequest request = SCREENING__V1__CREATE_BOOKING_REQUEST__INIT;
    request.booking_id = uuid_format(&call->booking_id, booking_id);
    request.customer_id = "customer";
    request.customer_name = "name";
    request.hospital_id = (char *)options->stage->hospital_id;
    request.date = (char *)options->stage->dates[number % options->stage->day_count];
    struct rpc_client *client = options->clients[number % options->client_count];
    screening__v1__booking_service__create_booking(rpc_client_service(client), &request, answered, call);
}

/* An idle call, counted as under way; NULL when out of memory. */
static struct call *take(struct load *load)
{
    pthread_mutex_lock(&load->lock);
    if (load->idle == NULL) {
        struct block *block = calloc(1, sizeof *block);
        for (int i = 0; block != NULL && i < CALLS_BLOCK; i++) {
            block->calls[i].load = load;
            block->calls[i].next = load->idle;
            load->idle = &block->calls[i];
        }
        if (block != NULL) {
            block->next = load->blocks;
            load->blocks = block;
        }
    }
    struct call *call = load->idle;
    if (call != NULL) {
        load->idle = call->next;
        load->under_way++;
    }
    pthread_mutex_unlock(&load->lock);
    return call;
}

static void sleep_until(int64_t ns)
{
    const struct timespec until = {.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0) {
    }
}

static size_t count_under_way(struct load *load)
{
    pthread_mutex_lock(&load->lock);
    size_t count = load->under_way;
    pthread_mutex_unlock(&load->lock);
    return count;
}

static bool run_closed(struct load *load)
{
    for (int64_t now_ns; (now_ns = clock_monotonic_ns()) < load->end_ns;) {
        for (size_t idle = load->options->in_flight - count_under_way(load); idle > 0; idle--) {
            struct call *call = take(load);
            if (call == NULL)
                return false;
            send_call(call, clock_monotonic_ns());
        }
        sleep_until(now_ns + RESEND_MS * (int64_t)NS_PER_MS);
    }
    return true;
}

static void run_open(struct load *load, int64_t begin_ns)
{
    const double gap_ns = NS_PER_S / load->options->rate;
    for (uint64_t i = 0;; i++) {
        int64_t due_ns = begin_ns + (int64_t)((double)i * gap_ns);
        if (due_ns >= load->end_ns)
            return;
        sleep_until(due_ns);
        int64_t late_us = (clock_monotonic_ns() - due_ns) / NS_PER_US;
        if (due_ns >= load->measure_from_ns && late_us > load->result.late_max_us)
            load->result.late_max_us = late_us;
        struct call *call = take(load);
        if (call != NULL)
            send_call(call, due_ns);
        else
            load->result.not_sent++;
    }
}

static int64_t ns_of(double seconds)
{
    return (int64_t)(seconds * NS_PER_S);
}

bool load_run(const struct load_options *options, struct tally *tally, struct load_result *result)
{
    int64_t begin_ns = clock_monotonic_ns();
    struct load load = {
        .options = options,
        .tally = tally,
        .measure_from_ns = begin_ns + ns_of(options->warm_up_s),
        .end_ns = begin_ns + ns_of(options->warm_up_s + options->measured_s),
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .all_answered = PTHREAD_COND_INITIALIZER,
    };
    bool complete = true;
    if (options->rate > 0)
        run_open(&load, begin_ns);
    else
        complete = run_closed(&load);
    pthread_mutex_lock(&load.lock);
    while (load.under_way > 0)
        pthread_cond_wait(&load.all_answered, &load.lock);
    pthread_mutex_unlock(&load.lock);
    while (load.blocks != NULL) {
        struct block *block = load.blocks;
        load.blocks = block->next;
        free(block);
    }
    *result = load.result;
    result->measured_s = options->measured_s;
    return complete;
}
