/*
 * Follows both event logs at the same time with long polls. event_follow blocks its thread; nng's threads
 * deliver the responses.
 */
#ifndef SCREENING_CLI_EVENT_FOLLOW_H
#define SCREENING_CLI_EVENT_FOLLOW_H

#include "session.h"

#include "auth/signer.h"

#include "screening/v1/event.pb-c.h"

/* The start position in one log. */
struct event_start {
    bool wanted;
    bool at_head; /* whether to pass only new events; otherwise, the events after after_seq */
    uint64_t after_seq;
};

/* Receives the events of one response, which are valid during the call. Returns false to stop. */
typedef bool (*event_take_fn)(void *context, enum peer_name log,
                              const Screening__V1__FetchResponse *response);

/*
 * Passes the events of the wanted logs to `take`, in order per log. If `once`, stops at the current heads.
 * Otherwise follows forever, even when services restart, and prints one line on stderr when a service becomes
 * unreachable. Returns OK at the end, or when `take` returns false. Fails like client_connect, and with the
 * errors of Fetch. Calls show the token of `signer`, for the service that is called, or if it is NULL that of
 * the session. Errors of Fetch are, for example, DATA_LOSS `LOG_DIVERGED` if the log does not continue after
 * the start position.
 */
MUST_CHECK enum status event_follow(struct session *session, const struct event_start starts[PEER_COUNT],
                                    bool once, struct auth_signer *signer, event_take_fn take, void *context,
                                    struct error *error);

#endif
