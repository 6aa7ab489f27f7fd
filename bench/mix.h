/*
 * What the callers of a run do: a table. A caller's turn begins with one request; the answer may lead to the
 * next one.
 */
#ifndef SCREENING_BENCH_MIX_H
#define SCREENING_BENCH_MIX_H

#include "request.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mix {
    const char *name, *help;
    const char *turn_name; /* what a turn is to people */
    size_t days_at_once;   /* of the stage, unless something else is asked for */
    uint64_t count;        /* turns, if neither a number nor a time is asked for; 0 = a time */
    /* The request with which the turn begins; sets turn->booking_id. */
    const struct request *(*first)(struct turn *turn);
    /* What follows an answer that came; NULL: the turn is over. May be NULL: every turn is one request. */
    const struct request *(*next)(struct turn *turn, const struct tally_answer *answer);
    uint32_t places;    /* per day, unless something else is asked for */
    bool goes_on;       /* when the places are asked for, other days follow */
    bool must_sell_out; /* a run that leaves places has failed */
};

/* All of them, the first being what is run if nothing is said; ends with an entry without a name. */
extern const struct mix MIXES[];

/* NULL if there is none of that name. */
const struct mix *mix_find(const char *name);

#endif
