/*
 * Threads that write large answers: the milliseconds that one takes would else be everybody's, on the two
 * threads on which all answers of the services arrive. Sources take turns.
 */
#ifndef GATEWAY_SVC_ANSWERS_H
#define GATEWAY_SVC_ANSWERS_H

#include "base/fair_queue.h"
#include "base/status.h"

struct answers;

/* Embed it in what is to be answered. */
struct answer {
    struct fair_item item; /* first member; `source` says who is answered */
    /* Called once, on one of the threads; the answer is its owner's again. */
    void (*write)(struct answer *answer);
};

/* RESOURCE_EXHAUSTED when there is no memory or no thread. */
MUST_CHECK enum status answers_open(struct answers **out, struct error *error);

/* Any thread; never blocks. */
void answers_put(struct answers *answers, struct answer *answer);

/* Writes what waits and ends the threads. Nothing may be put in afterwards. NULL is allowed. */
void answers_close(struct answers *answers);

#endif
