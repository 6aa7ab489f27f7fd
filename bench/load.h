/*
 * The load: CreateBooking calls, in one of two ways.
 *
 * Closed loop: `in_flight` calls are under way at any time; each answer sends the next. It finds the peak,
 * but a slow service slows its callers down.
 *
 * Open loop: calls leave at a fixed rate, whatever becomes of those before. Each has its time of arrival in
 * the schedule and its latency counts from there, so that the wait of a call that could not leave in time is
 * not hidden (coordinated omission).
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "stage.h"
#include "tally.h"

#include <stddef.h>
#include <stdint.h>

#include "rpc/channel.h"

struct load_options {
    struct rpc_client *const *clients; /* one per connection, used in turn */
    size_t client_count;
    const struct stage *stage; /* whose days are booked in turn */
    size_t in_flight;          /* closed loop; */
    double rate;               /* open loop, calls per second; 0 = closed loop */
    uint32_t budget_ms;        /* of each call */
    double warm_up_s;          /* at the beginning, not counted */
    double measured_s;         /* counted */
};

struct load_result {
    double measured_s;
    uint64_t sent;       /* counted calls */
    uint64_t not_sent;   /* open loop: no memory for one more call */
    int64_t late_max_us; /* open loop: how late a call left, at most */
};

/* Runs the load and waits for the last answer. False when out of memory. Not from nng callbacks. */
bool load_run(const struct load_options *options, struct tally *tally, struct load_result *result);

#endif
