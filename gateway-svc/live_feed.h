/*
 * Follows one log without a database: from its head as it is at the first contact, gapless, for as long as
 * the log is the same. Everything is handed out on the feed's own thread.
 */
#ifndef GATEWAY_SVC_LIVE_FEED_H
#define GATEWAY_SVC_LIVE_FEED_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "rpc/channel.h"

#include "screening/v1/event.pb-c.h"

struct live_feed;

struct live_feed_options {
    const char *log;             /* "booking", "hospital": the topic; stays */
    const char *address;         /* of its pub/sub */
    struct rpc_channel *channel; /* to its publisher, for Fetch; outlives the feed */
    /* From here on, behind `head_seq`. Once more when it is another log, or has another past. */
    void (*begun)(void *context, uint64_t head_seq);
    void (*take)(void *context, Screening__V1__Event *const *events, size_t count);
    void *context;
};

/* Connects in the background. INVALID_ARGUMENT for a malformed address; RESOURCE_EXHAUSTED. */
MUST_CHECK enum status live_feed_open(const struct live_feed_options *options, struct live_feed **out,
                                      struct error *error);

/* Ends the thread, at once. NULL is allowed. */
void live_feed_close(struct live_feed *feed);

#endif
