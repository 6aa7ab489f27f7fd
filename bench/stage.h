/*
 * The data of a run: hospitals with days of many places, and what the services report about them afterwards.
 * Blocking; not for nng callbacks, except stage_day_of.
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
    STAGE_HOSPITAL_DAYS = 300, /* of one hospital, at most; further days belong to another hospital */
    STAGE_DAYS_MAX = 3000,
    STAGE_PLACES_MAX = 100000, /* per day */
    STAGE_LISTED_MAX = 200000  /* bookings that are also counted in booking-svc */
};

struct stage_day {
    char hospital_id[UUID_TEXT_SIZE];
    char date[CIVIL_TEXT_SIZE];
};

struct stage {
    struct rpc_client *hospital, *booking; /* owned by the caller */
    struct arena arena;
    struct stage_day *days;
    size_t day_count;
    size_t at_once;  /* days that are booked in turn */
    uint32_t places; /* per day */
};

/* The bookings that the answers of a run promise, and those that the services store. */
struct stage_check {
    uint64_t confirmed;      /* according to the answers */
    uint64_t confirmed_late; /* not reported, but CONFIRMED now; or a cancellation without a known outcome */
    uint64_t cancelled; /* of the confirmed ones; including those whose cancellation was requested and not
                           answered */
    uint64_t expected;  /* confirmed + confirmed_late - cancelled: what must be live */
    uint64_t taken;     /* places in hospital-svc */
    bool listed;        /* false: too many to count in booking-svc */
    uint64_t live;      /* CONFIRMED in booking-svc, if listed */
    uint64_t places;    /* in total */
    bool sold_out;      /* all of them are taken */
    uint64_t wrong;     /* answers that no correct service gives */
    bool agrees;        /* taken and live are as expected, no answer was wrong, and sold out if required */
};

/*
 * Registers hospitals with `at_once` days to be booked in turn, from 30 days ahead on. If `goes_on`, adds as
 * many more days as one hospital may have. They follow when all places of the earlier days are requested, so
 * that a hot day never ends. Returns false after a line on stderr with the reason.
 */
bool stage_set(struct stage *stage, size_t at_once, uint32_t places, bool goes_on);
void stage_fini(struct stage *stage);

/* Returns the day for the booking with that number, counted from 0. Any thread. */
const struct stage_day *stage_day_of(const struct stage *stage, uint64_t number);

/*
 * Looks up every booking whose outcome the answers do not give, and waits up to 20 s until each has an
 * outcome and the places of cancelled bookings are free again. Returns false if the services could not be
 * asked, after a line on stderr with the reason.
 */
bool stage_verify(struct stage *stage, const struct tally *tally, bool must_sell_out,
                  struct stage_check *check);

#endif
