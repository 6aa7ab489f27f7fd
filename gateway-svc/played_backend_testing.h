/*
 * Private to the fuzzers of the HTTP server. Replaces backend.c and live.c: the calls are answered without
 * services, and a stream of /events gets bytes without events.
 */
#ifndef SCREENING_GATEWAY_SVC_PLAYED_BACKEND_TESTING_H
#define SCREENING_GATEWAY_SVC_PLAYED_BACKEND_TESTING_H

#include "api.h"

enum played_answer {
    PLAYED_MESSAGE, /* every call is answered with a message */
    PLAYED_ERROR,   /* with an error, each time another one */
};

/*
 * Sets how calls are answered from now on; with `later`, by played_backend_go_on. `first` chooses the first
 * error.
 */
void played_backend_begin(enum played_answer answer, bool later, size_t first);

/* Returns the gateway whose calls and streams are played. */
struct gateway *played_gateway(void);

/*
 * Answers the calls that wait, and continues the streams: writes to them, then ends them or overflows their
 * buffers, in turn. Call it on another thread than the server's, while that waits.
 */
void played_backend_go_on(void);

/* Returns the number of calls that wait and streams that are open. */
size_t played_backend_open(void);

#endif
