/*
 * A table of the requests that the callers of a run send. A caller's turn begins with one request; the answer
 * may lead to another.
 */
#ifndef SCREENING_BENCH_MIX_H
#define SCREENING_BENCH_MIX_H

#include "request.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mix {
    const char *name, *help;
    const char *turn_name; /* the name of a turn, for people */
    size_t days_at_once;   /* of the stage, by default */
    uint64_t count;        /* turns, if neither a number nor a duration is given; 0 = a duration */
    /* Returns the request with which the turn begins. Sets turn->booking_id. */
    const struct request *(*first)(struct turn *turn);
    /*
     * Returns the request that follows an answer, or NULL if the turn is over. May be NULL, so that every
     * turn is one request.
     */
    const struct request *(*next)(struct turn *turn, const struct tally_answer *answer);
    uint32_t places;    /* per day, by default */
    bool goes_on;       /* when the places are used up, other days follow */
    bool must_sell_out; /* a run that leaves places free has failed */
};

/* All mixes. The first is the default. Ends with an entry without a name. */
extern const struct mix MIXES[];

/* Returns the mix with that name, or NULL if there is none. */
const struct mix *mix_find(const char *name);

#endif
