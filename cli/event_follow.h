/*
 * Follows both event logs at the same time with long polls. Call it on one thread; nng's threads deliver
 * responses.
 */
#ifndef SCREENING_CLI_EVENT_FOLLOW_H
#define SCREENING_CLI_EVENT_FOLLOW_H

#include "session.h"

#include "screening/v1/event.pb-c.h"

/* The start position in one log. */
struct event_start {
    bool wanted;
    bool at_head; /* whether to follow only new events; otherwise those after after_seq */
    uint64_t after_seq;
};

/* Receives the events of one response, which are valid during the call. Returns false to stop. */
typedef bool (*event_take_fn)(void *context, enum peer_name log,
                              const Screening__V1__FetchResponse *response);

/*
 * Passes the events of the wanted logs to `take`, in order per log. With `once` it stops at the current
 * heads. Otherwise it follows forever, through restarts of the services, and prints one line on stderr when a
 * service goes away. Returns OK at the end and when `take` stops it. Fails like client_connect, and with the
 * errors of Fetch, such as DATA_LOSS `LOG_DIVERGED` if the log does not continue after the start position.
 */
MUST_CHECK enum status event_follow(struct session *session, const struct event_start starts[PEER_COUNT],
                                    bool once, event_take_fn take, void *context, struct error *error);

#endif
