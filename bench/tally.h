/* Counts the outcomes of a run's calls and records their durations. Any thread. */
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

/*
 * One kind of outcome, such as "CONFIRMED", or a status with its reason, such as "RESOURCE_EXHAUSTED
 * OVERLOADED".
 */
struct outcome {
    char name[TALLY_NAME_SIZE];
    char first_message[ERROR_MESSAGE_SIZE]; /* the message of the first answer with this outcome */
    struct latency latency;                 /* time from the start of the request (load.h) to the answer */
    struct latency from_sending;            /* time from the actual send to the answer */
};

struct tally {
    pthread_mutex_t lock;     /* guards the following members while calls are in flight */
    struct outcome *outcomes; /* array of TALLY_OUTCOMES_MAX, of which outcome_count are used */
    size_t outcome_count;
    uint64_t confirmed; /* this and the next two include the warm-up */
    uint64_t cancelled;
    uint64_t wrong;
    struct uuid *open; /* bookings whose outcome the answers leave open */
    size_t open_count, open_size;
    bool out_of_memory;
};

/* Initialises the tally. Returns false when out of memory. */
bool tally_init(struct tally *tally);
void tally_fini(struct tally *tally);

/* The meaning of the answer to a request. */
struct tally_answer {
    struct uuid booking_id;
    const char *name;    /* name of the outcome */
    const char *message; /* the error message; "" = none */
    bool confirmed;      /* a place was taken */
    bool cancelled;      /* the place is released or, if `open` is also set, may be released */
    bool open;           /* the answer does not show whether the booking is, or will be, confirmed */
    bool wrong;          /* a correct service never gives this answer */
    bool counted;        /* false during the warm-up, from which only the data for the check is kept */
    int64_t took_us;
    int64_t took_from_sending_us;
};
void tally_add(struct tally *tally, const struct tally_answer *answer);

/* Returns the outcome with that name, or NULL. Call it when no calls are in flight. */
const struct outcome *tally_find(const struct tally *tally, const char *name);

#endif
