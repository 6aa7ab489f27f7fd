/*
 * Follows one log without a database, from the head at first contact and without gaps, until the log is
 * replaced. Calls its callbacks on the feed's own thread.
 */
#ifndef SCREENING_GATEWAY_SVC_LIVE_FEED_H
#define SCREENING_GATEWAY_SVC_LIVE_FEED_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "rpc/channel.h"

#include "screening/v1/event.pb-c.h"

struct live_feed;

struct live_feed_options {
    const char *log;             /* topic, "booking" or "hospital"; must outlive the feed */
    const char *address;         /* pub/sub address */
    struct rpc_channel *channel; /* to the publisher, for Fetch; must outlive the feed */
    /* The feed starts after `head_seq`. Called again when the log is replaced or its history has changed. */
    void (*begun)(void *context, uint64_t head_seq);
    void (*take)(void *context, Screening__V1__Event *const *events, size_t count);
    void *context;
};

/* Connects in the background. INVALID_ARGUMENT for a malformed address; RESOURCE_EXHAUSTED. */
MUST_CHECK enum status live_feed_open(const struct live_feed_options *options, struct live_feed **out,
                                      struct error *error);

/* Ends the thread at once. NULL is allowed. */
void live_feed_close(struct live_feed *feed);

#endif
