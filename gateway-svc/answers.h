/*
 * Serializes large responses on separate threads. Serializing one takes milliseconds, which would delay other
 * responses on the two nng threads that deliver the services' responses. The clients take turns.
 */
#ifndef SCREENING_GATEWAY_SVC_ANSWERS_H
#define SCREENING_GATEWAY_SVC_ANSWERS_H

#include "base/fair_queue.h"
#include "base/status.h"

struct answers;

/* Embed it in the object that receives the response. */
struct answer {
    struct fair_item item; /* `source` is the client that gets the response */
    /* Called once, on one of the threads. The answer then belongs to its owner again, and may be freed. */
    void (*write)(struct answer *answer);
};

/* Starts the threads. Returns RESOURCE_EXHAUSTED when out of memory or threads. */
MUST_CHECK enum status answers_open(struct answers **out, struct error *error);

/* Queues an answer, which must stay valid until its `write` is called. Any thread; never blocks. */
void answers_put(struct answers *answers, struct answer *answer);

/*
 * Writes the waiting answers, ends the threads, and frees the struct. No answer may be queued afterwards.
 * NULL is allowed.
 */
void answers_close(struct answers *answers);

#endif
