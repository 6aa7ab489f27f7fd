/*
 * A table of what the callers of a run do. A caller's turn begins with one request; the answer may lead to
 * another.
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
    /* The request with which the turn begins; sets turn->booking_id. */
    const struct request *(*first)(struct turn *turn);
    /* Returns the request that follows an answer; NULL: the turn is over. May be NULL: every turn is one
     * request. */
    const struct request *(*next)(struct turn *turn, const struct tally_answer *answer);
    uint32_t places;    /* per day, by default */
    bool goes_on;       /* when the places are used up, other days follow */
    bool must_sell_out; /* a run that leaves places free has failed */
};

/* All of them; the first is the default; ends with an entry without a name. */
extern const struct mix MIXES[];

/* Returns NULL if there is none with that name. */
const struct mix *mix_find(const char *name);

#endif
