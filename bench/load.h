/*
 * The load: callers that follow a mix, in one of two ways.
 *
 * Closed loop: `in_flight` turns are in flight at any time; the end of each begins the next. It finds the
 * peak, but a slow service slows its callers down.
 *
 * Open loop: turns begin at a fixed rate, whatever happens to the earlier ones. Each has its time of arrival
 * in the schedule, and its latency counts from there, so that the delay of a call that could not be sent in
 * time is not hidden (coordinated omission). The later requests of a turn count from when they are sent.
 */
#ifndef SCREENING_BENCH_LOAD_H
#define SCREENING_BENCH_LOAD_H

#include "mix.h"
#include "stage.h"
#include "tally.h"
#include "watch.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "rpc/channel.h"

struct load_options {
    const struct mix *mix;
    struct rpc_client *hospital;       /* for the reads of its days */
    struct rpc_client *const *clients; /* to booking-svc, one per connection, used in turn */
    size_t client_count;
    const struct stage *stage;
    size_t in_flight;       /* closed loop; */
    double rate;            /* open loop, turns per second; 0 = closed loop */
    uint32_t budget_ms;     /* of each request */
    double warm_up_s;       /* at the beginning, not counted */
    double measured_s;      /* counted; */
    uint64_t count;         /* instead: this number of turns, from the first one, all of them counted; 0 =
                             * measured_s */
    struct watch *watch;    /* sampled at the start and the end of the measured time */
    const atomic_int *stop; /* not 0: the load ends now and keeps the counts so far; NULL = never */
};

struct load_result {
    double measured_s;   /* less than requested if it was stopped */
    uint64_t turns;      /* counted ones */
    uint64_t not_sent;   /* open loop: no memory for another call */
    int64_t late_max_us; /* open loop: the longest delay of a call */
};

/* Runs the load and waits for the last answer. Returns false when out of memory. Not from nng callbacks. */
bool load_run(const struct load_options *options, struct tally *tally, struct load_result *result);

#endif
