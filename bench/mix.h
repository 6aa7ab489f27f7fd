/*
 * Defines which requests the callers of a run send. A caller's turn begins with one request. Depending on the
 * answer, another request may follow.
 */
#ifndef SCREENING_BENCH_MIX_H
#define SCREENING_BENCH_MIX_H

#include "request.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mix {
    const char *name, *help;
    const char *turn_name; /* the name of a turn in the output, such as "booking" */
    size_t days_at_once;   /* the default number of days that are booked in rotation */
    uint64_t count;        /* the default number of turns; 0 = the default is a duration */
    /* Returns the request with which the turn begins. Sets turn->booking_id. */
    const struct request *(*first)(struct turn *turn);
    /*
     * Returns the request that follows an answer, or NULL if the turn has ended. If `next` is NULL, every
     * turn is one request.
     */
    const struct request *(*next)(struct turn *turn, const struct tally_answer *answer);
    uint32_t places;    /* the default number of places per day */
    bool goes_on;       /* whether further days are booked once the places of the first are used up */
    bool must_sell_out; /* whether a run fails if it leaves places free */
};

/* All mixes. The first is the default. The last entry has no name. */
extern const struct mix MIXES[];

/* Returns the mix with that name, or NULL if there is none. */
const struct mix *mix_find(const char *name);

#endif
