/*
 * What a run plays on: one hospital with days of many places, and what the services say about them
 * afterwards. Blocking; not from nng callbacks.
 */
#ifndef BENCH_STAGE_H
#define BENCH_STAGE_H

#include "tally.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/civil.h"
#include "base/uuid.h"
#include "rpc/channel.h"

enum { STAGE_DAYS_MAX = 300, STAGE_PLACES_MAX = 100000 /* per day */ };

struct stage {
    struct rpc_client *hospital, *booking; /* the caller's */
    struct arena arena;
    char hospital_id[UUID_TEXT_SIZE];
    char dates[STAGE_DAYS_MAX][CIVIL_TEXT_SIZE];
    size_t day_count;
    uint32_t places; /* per day */
};

/* What the answers of a run promise, and what the services hold. */
struct stage_check {
    uint64_t confirmed;      /* answered so */
    uint64_t confirmed_late; /* not answered so, but CONFIRMED now */
    uint64_t taken;          /* places at hospital-svc */
    bool agrees;             /* taken = confirmed + confirmed_late */
};

/* Registers the hospital with `day_count` days from 30 days ahead on. False: a line on stderr says why. */
bool stage_set(struct stage *stage, size_t day_count, uint32_t places);
void stage_fini(struct stage *stage);

/*
 * Looks up every booking whose end the answers do not tell, and waits up to 20 s until each has one and the
 * places fit. False if they could not be asked: a line on stderr says why.
 */
bool stage_verify(struct stage *stage, const struct tally *tally, struct stage_check *check);

#endif
