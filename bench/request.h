/*
 * The kinds of requests that a caller sends, and the meaning of the answers. An answer that a correct service
 * never gives (another booking, or NOT_FOUND for a confirmed one) is `wrong`.
 */
#ifndef SCREENING_BENCH_REQUEST_H
#define SCREENING_BENCH_REQUEST_H

#include "recent.h"
#include "stage.h"
#include "tally.h"

#include <stdint.h>

#include "base/uuid.h"
#include "rpc/channel.h"

/* One caller's turn: one or more requests, one after the other. */
struct turn {
    struct rpc_client_call rpc; /* must be first; set timeout_ms before sending; the channel sets the rest */
    uint64_t number;            /* from 0 */
    struct rpc_client *hospital, *booking;
    const struct stage_day *day;
    struct recent *recent;
    struct uuid booking_id; /* the booking that the turn makes, cancels or reads */
    /*
     * Receives each answer, on the thread that runs the stub's closure. `answer` and its contents are valid
     * only during the call.
     */
    void (*answered)(struct turn *turn, struct tally_answer *answer);
};

struct request {
    void (*send)(struct turn *turn);
};

/* Book one place on turn->day. The outcomes are named after the booking's status, such as "CONFIRMED". */
extern const struct request REQUEST_BOOK;         /* for a different customer each time */
extern const struct request REQUEST_BOOK_FOR_ONE; /* always for the same customer */

/* The outcomes of the following requests also name the method: "CancelBooking CANCELLED", "GetBooking OK". */
extern const struct request REQUEST_CANCEL;       /* the booking */
extern const struct request REQUEST_GET;          /* the booking */
extern const struct request REQUEST_LIST;         /* the bookings of the same customer */
extern const struct request REQUEST_AVAILABILITY; /* the hospital's days from turn->day on */

#endif
