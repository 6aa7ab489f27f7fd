/*
 * Bookings in work in this process: from the commit of the intent (or from the settler's taking it up) to the
 * commit of the settle. A repeated CreateBooking that finds its booking here waits for the same outcome.
 *
 *     CREATE committed -> work_start -> reserver asks hospital-svc -> SETTLE committed -> answered
 */
#ifndef BOOKING_SVC_WORK_H
#define BOOKING_SVC_WORK_H

#include "batch.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/backoff.h"
#include "base/status.h"
#include "base/uuid.h"
#include "rpc/server.h"

struct work_table;
struct reserver;

/*
 * One CreateBooking call, or one booking that the settler took up (call NULL). Lives in the call's arena, or
 * on the heap. The same command is its intent or meeting first, then its settle.
 */
struct work {
    struct booking_command command; /* first: what the writer hands back */
    struct work_table *table;
    struct rpc_call *call;
    struct work *next;           /* in the reserver's lists, or as a waiter */
    struct work *waiters;        /* repeats that wait for this one; guarded by the table */
    _Atomic int64_t deadline_ns; /* the longest budget that waits; 0 = nobody waits */
    /* The reserver's: */
    bool tried;            /* a Reserve for it was not executed before */
    int64_t first_sent_ns; /* 0 = not yet */
    int64_t not_before_ns; /* of the next try */
    struct backoff backoff;
    struct uuid hospital_id;
    int32_t day;
    uint32_t headcount;
};

/* `writer` and `reserver` stay the caller's. NULL when out of memory. */
struct work_table *work_table_create(void);
void work_table_destroy(struct work_table *table);

/* Before the first command is submitted. */
void work_table_connect(struct work_table *table, struct writer *writer, struct reserver *reserver);

/* Has the writer read the eras again, soon. Any thread. */
void work_table_look(struct work_table *table);

/* Whether a booking is in work. Any thread. */
bool work_is_under_way(struct work_table *table, const struct uuid *booking_id);

/* How many bookings are in work; how many of them the settler took up. Any thread. */
size_t work_count(struct work_table *table);
size_t work_count_taken_up(struct work_table *table);

/*
 * How many that the settler took up were put off so far: hospital-svc did not execute them for a reason that
 * holds for all bookings, such as no connection. Any thread.
 */
size_t work_count_put_off(struct work_table *table);

/* Whether nobody waits for it: it goes behind the works that somebody waits for. Any thread. */
bool work_is_background(const struct work *work);

/*
 * Submits the intent of a CreateBooking whose work is filled in (command.request, hospital_id, day,
 * headcount, call, traceparent). It will be answered. RESOURCE_EXHAUSTED: it was not taken, the call is still
 * the caller's. nng callback threads.
 */
MUST_CHECK enum status work_create(struct work_table *table, struct work *work, struct error *error);

/*
 * Takes up a REQUESTED booking that nobody works on. Does nothing if it is in work meanwhile. Settler's
 * thread.
 */
MUST_CHECK enum status work_take_up(struct work_table *table, const struct booking *booking,
                                    struct error *error);

/*
 * Submits the settle of a chain of works (linked by `next`) whose command.outcome and reason the reserver has
 * set.
 */
void work_settle(struct work_table *table, struct work *chain);

#endif
