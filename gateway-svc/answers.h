/*
 * Threads that serialize large responses. A large response takes milliseconds, which would delay all others
 * on the two nng threads that deliver the services' responses. Sources take turns.
 */
#ifndef SCREENING_GATEWAY_SVC_ANSWERS_H
#define SCREENING_GATEWAY_SVC_ANSWERS_H

#include "base/fair_queue.h"
#include "base/status.h"

struct answers;

/* Embed it in the object that receives the response. */
struct answer {
    struct fair_item item; /* `source` is the client that the response is for */
    /* Is called once, on one of the threads. Afterwards the answer belongs to its owner again. */
    void (*write)(struct answer *answer);
};

/* Starts the threads. Returns RESOURCE_EXHAUSTED when out of memory or threads. */
MUST_CHECK enum status answers_open(struct answers **out, struct error *error);

/* Queues an answer. Any thread; never blocks. */
void answers_put(struct answers *answers, struct answer *answer);

/* Writes the waiting answers and ends the threads. No answer may be queued afterwards. NULL is allowed. */
void answers_close(struct answers *answers);

#endif
