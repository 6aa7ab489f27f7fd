/*
 * The outcomes of the calls of a run: how often each occurred, and how long it took. Any thread.
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
    char first_message[ERROR_MESSAGE_SIZE]; /* the text of the first such answer */
    struct latency latency;                 /* from the scheduled arrival */
    struct latency from_sending;            /* from the actual send */
};

struct tally {
    pthread_mutex_t lock;     /* guards the following members while calls are in flight */
    struct outcome *outcomes; /* TALLY_OUTCOMES_MAX, `outcome_count` of them used */
    size_t outcome_count;
    uint64_t confirmed; /* these three include the warm-up */
    uint64_t cancelled;
    uint64_t wrong;
    struct uuid *open; /* bookings whose outcome the answers do not give */
    size_t open_count, open_size;
    bool out_of_memory;
};

/* Initialises the tally. Returns false when out of memory. */
bool tally_init(struct tally *tally);
void tally_fini(struct tally *tally);

/* The meaning of the answer to a request. */
struct tally_answer {
    struct uuid booking_id;
    const char *name;    /* of the outcome */
    const char *message; /* for people; "" if there was none */
    bool confirmed;      /* a place was taken; */
    bool cancelled;      /* it is released, or may be: then `open` too */
    bool open;           /* the answer does not say whether the booking is, or will be, confirmed */
    bool wrong;          /* a correct service does not give this answer */
    bool counted;        /* false for the warm-up, of which only the data for the check is kept */
    int64_t took_us;
    int64_t took_from_sending_us;
};
void tally_add(struct tally *tally, const struct tally_answer *answer);

/* Returns the outcome with that name, or NULL. Call it when no calls are in flight. */
const struct outcome *tally_find(const struct tally *tally, const char *name);

#endif
