/*
 * Sets up the hospitals and days of a run, and afterwards checks what the services report about them. All
 * functions except stage_day_of block and must not be called from nng callbacks.
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
    STAGE_HOSPITAL_DAYS = 300, /* maximum per hospital; further days belong to the next hospital */
    STAGE_DAYS_MAX = 3000,
    STAGE_PLACES_MAX = 100000, /* per day */
    STAGE_LISTED_MAX = 200000  /* maximum number of bookings that are counted in booking-svc */
};

struct stage_day {
    char hospital_id[UUID_TEXT_SIZE];
    char date[CIVIL_TEXT_SIZE];
};

struct stage {
    struct rpc_client *hospital, *booking; /* owned by the caller */
    const char *authorization;             /* of each request; NULL = none */
    struct arena arena;
    struct stage_day *days;
    size_t day_count;
    size_t at_once;  /* number of days that are booked in rotation */
    uint32_t places; /* per day */
};

/* The bookings that the answers of a run promise, compared with those that the services store. */
struct stage_check {
    uint64_t confirmed;      /* bookings confirmed according to the answers */
    uint64_t confirmed_late; /* bookings without a definite answer that booking-svc reports as CONFIRMED */
    uint64_t cancelled;      /* how many of these were cancelled, including cancellations without an answer */
    uint64_t expected;       /* bookings that must be live: confirmed + confirmed_late - cancelled */
    uint64_t taken;          /* places taken in hospital-svc */
    bool listed;             /* whether `live` was counted; false = there were too many bookings */
    uint64_t live;           /* bookings that are CONFIRMED in booking-svc, if `listed` */
    uint64_t places;         /* in total */
    bool sold_out;           /* whether all places are taken */
    uint64_t wrong;          /* answers that a correct service never gives */
    bool agrees;             /* taken and live equal expected, no wrong answer, and sold out if required */
};

/*
 * Registers hospitals with `at_once` days of `places` places. The days begin 30 days from today and are
 * booked in rotation. If `goes_on`, adds more days, up to STAGE_HOSPITAL_DAYS in all, which are booked once
 * all places of the earlier days have been requested. So there is always a busy day. On failure, prints the
 * reason on stderr and returns false.
 */
bool stage_set(struct stage *stage, size_t at_once, uint32_t places, bool goes_on);
void stage_fini(struct stage *stage);

/* Returns the day of booking `number`, counted from 0. Any thread. */
const struct stage_day *stage_day_of(const struct stage *stage, uint64_t number);

/*
 * Looks up every booking whose outcome the answers leave open, and waits up to 20 s until each has an outcome
 * and the places of cancelled bookings are free again. Then fills *check. If the services cannot be queried,
 * prints the reason on stderr and returns false.
 */
bool stage_verify(struct stage *stage, const struct tally *tally, bool must_sell_out,
                  struct stage_check *check);

#endif
