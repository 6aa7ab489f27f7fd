/*
 * A follower against a publisher whose pub/sub messages the test sends by hand: it loses, repeats, reorders
 * and delays them, while Fetch is the real one.
 */
#ifndef SCREENING_EVENTS_PLAY_H
#define SCREENING_EVENTS_PLAY_H

#include "test_support.h"

/* The publisher, the service, and the messages between them. */
struct play {
    struct origin origin;
    struct service service;
    nng_socket publisher; /* of the messages sent by hand */
    atomic_int followers; /* connected to it */
    struct rpc_channel *channel;
    struct event_subscriber *subscriber;
};

/* Waits for nothing of its own accord, or fetches what is missing soon. Neither fetches because of silence.
 */
extern const struct event_subscriber_options PLAY_PATIENT;
extern const struct event_subscriber_options PLAY_BRISK;

void play_open(struct play *play, const struct stage *stage);
void play_close(struct play *play);

/* Begins to publish by hand; play_open has done so. */
void play_publish(struct play *play);

/* Opens the subscriber; names, addresses and the like are filled in. */
void play_follow(struct play *play, const struct event_subscriber_options *wished);

/* Follows, up to where both ends of the pub/sub connection stand and Fetch has reached the head. */
void play_follow_to_head(struct play *play, const struct event_subscriber_options *wished);

struct event_subscriber_status play_status(struct play *play);
void play_wait_state(struct play *play, enum subscriber_state state);

/* Commits events that nobody is told of. */
void play_commit(struct play *play, size_t count);

/* Publishes `message`, or the committed events from `first` on; count 0: a heartbeat at `first`. */
void play_send(struct play *play, nng_msg *message);
void play_send_events(struct play *play, uint64_t first, size_t count);

/* The service has applied the log up to exactly there. */
void play_expect_cursor(struct play *play, uint64_t seq);

#endif
