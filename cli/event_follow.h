/* Both event logs at once, by long polls. One thread; the answers come in on nng's. */
#ifndef SCREENING_CLI_EVENT_FOLLOW_H
#define SCREENING_CLI_EVENT_FOLLOW_H

#include "session.h"

#include "screening/v1/event.pb-c.h"

/* Where to begin in one log. */
struct event_start {
    bool wanted;
    bool at_head; /* only what comes from now on; else behind after_seq */
    uint64_t after_seq;
};

/* Takes the events of one answer, valid during the call; false = that is enough. */
typedef bool (*event_take_fn)(void *context, enum peer_name log,
                              const Screening__V1__FetchResponse *response);

/*
 * Hands the events of the wanted logs to `take`, each log's in order. `once`: up to the heads as they are
 * now, then OK; else for ever, through restarts of the services, which one line on stderr tells. OK too when
 * `take` has enough. Fails as connecting does, and with what Fetch refuses: DATA_LOSS `LOG_DIVERGED` where
 * the log does not go on behind the start.
 */
MUST_CHECK enum status event_follow(struct session *session, const struct event_start starts[PEER_COUNT],
                                    bool once, event_take_fn take, void *context, struct error *error);

#endif
