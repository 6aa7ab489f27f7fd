/* Serves GET /events: live updates as server-sent events. */
#ifndef SCREENING_GATEWAY_SVC_LIVE_H
#define SCREENING_GATEWAY_SVC_LIVE_H

#include "api.h"

struct live;

struct live_options {
    const char *booking_events; /* pub/sub addresses of the two logs */
    const char *hospital_events;
    struct backend *backend; /* for rereading days and fetching missed events; must outlive the struct live */
    size_t listeners_max;
    struct security *security; /* decides who may listen to what; must outlive the struct live */
    bool public_catalogue;     /* whether availability needs no token */
};

MUST_CHECK enum status live_open(const struct live_options *options, struct live **out, struct error *error);

/* Returns whether the followers of both logs have begun, for the readiness check. Any thread. */
bool live_begun(struct live *live);

/* Handles a request to /events. Responds with an error unless it is a valid GET. */
void live_handle(struct live *live, struct http_request *request);

/* Ends every stream and refuses new listeners. */
void live_stop(struct live *live);

/* Ends the threads and frees the struct. Call it after http_close and http_close. NULL is allowed. */
void live_close(struct live *live);

#endif
