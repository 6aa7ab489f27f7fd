/*
 * What became of the calls of a run: how often each outcome, and how long it took. Any thread.
 */
#ifndef SCREENING_BENCH_TALLY_H
#define SCREENING_BENCH_TALLY_H

#include "latency.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/uuid.h"

enum { TALLY_OUTCOMES_MAX = 32, TALLY_NAME_SIZE = 64 };

/* One kind of outcome: "CONFIRMED", or a status with its reason, "RESOURCE_EXHAUSTED OVERLOADED". */
struct outcome {
    char name[TALLY_NAME_SIZE];
    char first_message[ERROR_MESSAGE_SIZE]; /* what the first such answer said to people */
    struct latency latency;                 /* from the scheduled arrival */
    struct latency from_sending;            /* from when it really left */
};

struct tally {
    pthread_mutex_t lock;     /* guards what follows while calls are under way */
    struct outcome *outcomes; /* TALLY_OUTCOMES_MAX, `outcome_count` of them used */
    size_t outcome_count;
    uint64_t confirmed; /* these three also of the warm-up */
    uint64_t cancelled;
    uint64_t wrong;
    struct uuid *open; /* bookings of which the answers do not tell the end */
    size_t open_count, open_size;
    bool out_of_memory;
};

/* False when out of memory. */
bool tally_init(struct tally *tally);
void tally_fini(struct tally *tally);

/* What the answer to a request says. */
struct tally_answer {
    struct uuid booking_id;
    const char *name;    /* of the outcome */
    const char *message; /* for people; "" if it came with none */
    bool confirmed;      /* a place was taken, */
    bool cancelled;      /* is given back, or may be: then `open` too */
    bool open;           /* the answer does not tell whether the booking is, or will be, confirmed */
    bool wrong;          /* not what a service that works says */
    bool counted;        /* false: of the warm-up, only what the check needs is kept */
    int64_t took_us;
    int64_t took_from_sending_us;
};
void tally_add(struct tally *tally, const struct tally_answer *answer);

/* The outcome of that name, NULL if there was none. When no calls are under way. */
const struct outcome *tally_find(const struct tally *tally, const char *name);

#endif
