/*
 * Publishes one log to its stream, screening-LOG. The sequence of a message in the stream is the seq of its
 * event: each publish names the sequence that must be the last one before it, so a message is stored at its
 * own place or not at all, even if several bridges send it repeatedly.
 */
#ifndef SCREENING_JETSTREAM_BRIDGE_OUTLET_H
#define SCREENING_JETSTREAM_BRIDGE_OUTLET_H

#include "broker.h"

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "events/follower.h"
#include "service/security.h"

struct outlet;

/* Must outlive the outlet, with its strings. */
struct outlet_options {
    const char *log; /* "booking" or "hospital" */
    const char *rpc_address;
    const char *events_addresses;
    size_t message_max_bytes;
    struct security_peer peer; /* shows the bridge's token to the publisher */
    const struct broker_options *broker;
    int64_t replicas; /* copies of a stream that has to be created */
};

/* Opens the channel and starts to follow. Returns the statuses of rpc_channel_open and event_follower_open.
 */
MUST_CHECK enum status outlet_open(const struct outlet_options *options, struct outlet **out,
                                   struct error *error);

/* Ends the publishes in flight within some seconds, then closes everything. NULL is allowed. */
void outlet_close(struct outlet *outlet);

struct event_follower *outlet_follower(const struct outlet *outlet);

/* Returns the name of the stream. */
const char *outlet_stream(const struct outlet *outlet);

/* Returns whether the outlet has a connection to the broker. Any thread. */
bool outlet_connected(struct outlet *outlet);

/*
 * Makes an outlet without a connection connect again, even if there is nothing to publish. Call it about once
 * a second.
 */
void outlet_look_after(struct outlet *outlet);

#endif
