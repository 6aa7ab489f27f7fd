/* GET /events: what happens now, as server-sent events. */
#ifndef GATEWAY_SVC_LIVE_H
#define GATEWAY_SVC_LIVE_H

#include "api.h"

struct live;

struct live_options {
    const char *booking_events; /* addresses of the two logs' pub/sub */
    const char *hospital_events;
    struct backend *backend; /* to re-read days, and to fetch what was missed; outlives it */
    size_t listeners_max;
};

MUST_CHECK enum status live_open(const struct live_options *options, struct live **out, struct error *error);

/* Whether both logs are followed, from somewhere on; for readiness. Any thread. */
bool live_begun(struct live *live);

/* Answers GET /events. */
void live_handle(struct live *live, struct http_request *request);

/* Ends every stream, and refuses new listeners. */
void live_stop(struct live *live);

/* After the HTTP server is closed. NULL is allowed. */
void live_close(struct live *live);

#endif
