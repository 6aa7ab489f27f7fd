/*
 * What a run plays on: hospitals with days of many places, and what the services say about them afterwards.
 * Blocking; not from nng callbacks, but for stage_day_of.
 */
#ifndef SCREENING_BENCH_STAGE_H
#define SCREENING_BENCH_STAGE_H

#include "tally.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/civil.h"
#include "base/uuid.h"
#include "rpc/channel.h"

enum {
    STAGE_HOSPITAL_DAYS = 300, /* of one hospital, at most; the next ones are another's */
    STAGE_DAYS_MAX = 3000,
    STAGE_PLACES_MAX = 100000, /* per day */
    STAGE_LISTED_MAX = 200000  /* bookings that are counted at booking-svc too */
};

struct stage_day {
    char hospital_id[UUID_TEXT_SIZE];
    char date[CIVIL_TEXT_SIZE];
};

struct stage {
    struct rpc_client *hospital, *booking; /* the caller's */
    struct arena arena;
    struct stage_day *days;
    size_t day_count;
    size_t at_once;  /* days that are booked in turn */
    uint32_t places; /* per day */
};

/* What the answers of a run promise, and what the services hold. */
struct stage_check {
    uint64_t confirmed; /* answered so */
    uint64_t
        confirmed_late; /* not answered so, but CONFIRMED now; or the end of a cancellation was not told */
    uint64_t cancelled; /* of those confirmed; also those whose cancellation was asked for and not answered */
    uint64_t expected;  /* confirmed + confirmed_late - cancelled: what must be live */
    uint64_t taken;     /* places at hospital-svc */
    bool listed;        /* false: too many to count at booking-svc */
    uint64_t live;      /* CONFIRMED at booking-svc, if listed */
    uint64_t places;    /* all there are */
    bool sold_out;      /* all of them are taken */
    uint64_t wrong;     /* answers that no service that works gives */
    bool agrees;        /* taken and live are as expected, nothing was wrong, and sold out if it must be */
};

/*
 * Registers hospitals with `at_once` days to be booked in turn, from 30 days ahead on, and if `goes_on` as
 * many more as one hospital may have, to follow when all places of those before are asked for: a hot day has
 * no end then. False: a line on stderr says why.
 */
bool stage_set(struct stage *stage, size_t at_once, uint32_t places, bool goes_on);
void stage_fini(struct stage *stage);

/* The day that the booking of that number, counted from 0, is for. Any thread. */
const struct stage_day *stage_day_of(const struct stage *stage, uint64_t number);

/*
 * Looks up every booking whose end the answers do not tell, and waits up to 20 s until each has one and the
 * places of cancelled bookings have come back: they do so by themselves. False if they
 * could not be asked: a line on stderr says why.
 */
bool stage_verify(struct stage *stage, const struct tally *tally, bool must_sell_out,
                  struct stage_check *check);

#endif
