/*
 * The bookings in flight in this process. A booking is in flight from the commit of its intent, or from the
 * moment when the settler resumes it, to the commit of its settle. A repeated CreateBooking that finds its
 * booking here waits for the same outcome.
 *
 *     placement_create -> CREATE committed -> reserver asks hospital-svc -> SETTLE committed -> answered
 */
#ifndef SCREENING_BOOKING_SVC_PLACEMENTS_H
#define SCREENING_BOOKING_SVC_PLACEMENTS_H

#include "batch.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/backoff.h"
#include "base/queue.h"
#include "base/status.h"
#include "base/uuid.h"
#include "rpc/server.h"

struct placements;
struct reserver;

/*
 * One CreateBooking call, or one booking that the settler has resumed (`call` is NULL). Allocated in the
 * call's arena or on the heap. `command` is used first for the intent (CREATE) or RESUME, then for the
 * SETTLE.
 */
struct placement {
    struct booking_command command;
    struct placements *table;
    struct rpc_call *call;
    struct queue_node node;      /* in the reserver's lists or in `waiters` */
    struct queue waiters;        /* repetitions that wait for this placement; guarded by the table's lock */
    _Atomic int64_t deadline_ns; /* latest deadline of the waiting callers; 0 = no caller waits */
    /* The retry state, used by the reserver, and the place to reserve. */
    bool tried;            /* whether a Reserve for the booking has been tried before */
    int64_t first_sent_ns; /* when a Reserve was first sent; 0 = not yet */
    int64_t not_before_ns; /* the earliest time of the next try */
    struct backoff backoff;
    struct uuid hospital_id;
    int32_t day;
    uint32_t headcount;
};

/* Creates the table. Returns NULL when out of memory. */
struct placements *placements_create(void);
void placements_destroy(struct placements *table);

/*
 * Connects the table to the writer and the reserver. Call placements_connect before the first command is
 * submitted. The caller keeps ownership of `writer` and `reserver`.
 */
void placements_connect(struct placements *table, struct writer *writer, struct reserver *reserver);

/* Makes the writer read the eras again. Any thread. */
void placements_look(struct placements *table);

/* Returns whether the booking is in flight. Any thread. */
bool placement_is_under_way(struct placements *table, const struct uuid *booking_id);

struct placement_counts {
    size_t in_flight; /* number of bookings in flight */
    size_t taken_up;  /* number of bookings in flight that the settler has resumed */
    /*
     * The number of times that a booking resumed by the settler was postponed, because hospital-svc granted
     * its Reserve in another era, or because the Reserve was not executed for a reason that affects all
     * bookings, such as a lost connection.
     */
    size_t put_off;
};

/* Returns the current counts. Any thread. */
struct placement_counts placements_counts(struct placements *table);

/* Returns whether no caller waits for the placement, which then has a lower priority. Any thread. */
bool placement_is_background(const struct placement *placement);

/*
 * Submits the intent of a CreateBooking. The caller fills in command.request, hospital_id, day, headcount,
 * call and traceparent. Returns OK if the call will be answered. Returns RESOURCE_EXHAUSTED if the queue
 * refused the command; the caller then still owns the call. Runs on nng's callback threads.
 */
MUST_CHECK enum status placement_create(struct placements *table, struct placement *placement,
                                        struct error *error);

/*
 * Resumes a REQUESTED booking on which no call is working. Does nothing if the booking is already in flight.
 * Returns RESOURCE_EXHAUSTED when out of memory. Runs on the settler's thread.
 */
MUST_CHECK enum status placement_take_up(struct placements *table, const struct booking *booking,
                                         struct error *error);

/*
 * Submits the settles of the placements in `ended`, linked by `node`. Set their command.outcome and reason
 * first.
 */
void placement_settle(struct placements *table, struct queue ended);

#endif
