/*
 * The kinds of requests that a caller sends, and the meaning of their answers. An answer that no correct
 * service gives (another booking, or NOT_FOUND for a confirmed one) is `wrong`.
 */
#ifndef SCREENING_BENCH_REQUEST_H
#define SCREENING_BENCH_REQUEST_H

#include "recent.h"
#include "stage.h"
#include "tally.h"

#include <stdint.h>

#include "base/uuid.h"
#include "rpc/channel.h"

/* One caller's turn: one request, or several one after the other. */
struct turn {
    struct rpc_client_call rpc; /* first: the channel fills it in; timeout_ms is set before sending */
    uint64_t number;            /* from 0 */
    struct rpc_client *hospital, *booking;
    const struct stage_day *day;
    struct recent *recent;
    struct uuid booking_id; /* the booking that it makes, cancels or reads */
    /*
     * Receives each answer, on the thread on which the stub's closure runs. The contents of `answer` are
     * freed afterwards.
     */
    void (*answered)(struct turn *turn, struct tally_answer *answer);
};

struct request {
    void (*send)(struct turn *turn);
};

/* One place on turn->day. Its outcomes are named after the booking's status: "CONFIRMED". */
extern const struct request REQUEST_BOOK;         /* for a different customer each time */
extern const struct request REQUEST_BOOK_FOR_ONE; /* always for the same customer */

/* These are named after the method, too: "CancelBooking CANCELLED", "GetBooking OK". */
extern const struct request REQUEST_CANCEL;       /* the booking */
extern const struct request REQUEST_GET;          /* the booking */
extern const struct request REQUEST_LIST;         /* the bookings of the same customer */
extern const struct request REQUEST_AVAILABILITY; /* the hospital's, from turn->day on */

#endif
