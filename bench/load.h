/*
 * Generates the load: callers send the requests of a mix, in one of two ways.
 *
 * Closed loop: `in_flight` turns are in flight at any time; a new turn starts whenever one ends. This mode
 * finds the peak throughput, but a slow service slows its callers down.
 *
 * Open loop: turns begin at a fixed rate, no matter how long earlier turns take. Each turn has a scheduled
 * arrival time. The latency of its first request is measured from that time, so it includes any delay in
 * sending (no coordinated omission). The latency of later requests is measured from when they are sent.
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
    struct rpc_client *hospital;       /* to hospital-svc, for reading availability */
    struct rpc_client *const *clients; /* to booking-svc, one per connection, used in rotation */
    size_t client_count;
    const struct stage *stage;
    const char *authorization; /* of each request; NULL = none */
    size_t in_flight;          /* closed loop */
    double rate;               /* open loop, turns per second; 0 = closed loop */
    uint32_t budget_ms;        /* time budget of each request */
    double warm_up_s;          /* the duration of the warm-up, which is not counted */
    double measured_s;         /* the duration of the measured time */
    uint64_t count;            /* number of turns instead of a duration, all counted; 0 = use the duration */
    struct watch *watch;       /* sampled at the start and the end of the measured time */
    const atomic_int *stop;    /* nonzero = stop now and keep the counts so far; NULL = never stop early */
};

struct load_result {
    double measured_s;   /* less than requested if the load was stopped */
    uint64_t turns;      /* counted turns */
    uint64_t not_sent;   /* open loop: turns not sent for lack of memory */
    int64_t late_max_us; /* open loop: the longest delay in sending a turn */
};

/*
 * Runs the load and waits for the last answer. Returns false when out of memory. In the open loop, a call for
 * which there is no memory is counted as not_sent instead. Must not be called from an nng callback.
 */
bool load_run(const struct load_options *options, struct tally *tally, struct load_result *result);

#endif
