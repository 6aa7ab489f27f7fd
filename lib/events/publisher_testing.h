/*
 * For tests: a follower of a publisher whose pub/sub messages are sent by the test itself, which can lose,
 * repeat, reorder and delay them. Fetch is served by a real publisher.
 */
#ifndef SCREENING_EVENTS_PUBLISHER_TESTING_H
#define SCREENING_EVENTS_PUBLISHER_TESTING_H

#include "events/events_testing.h"

struct play {
    struct origin origin;
    struct service service;
    nng_socket publisher; /* sends the test's own messages */
    atomic_int followers; /* number of followers connected to `publisher` */
    struct rpc_channel *channel;
    struct event_follower *follower;
};

/*
 * With PLAY_PATIENT a gap causes no fetch; with PLAY_BRISK it soon causes one. With either, silence causes no
 * fetch.
 */
extern const struct event_follower_options PLAY_PATIENT;
extern const struct event_follower_options PLAY_BRISK;

void play_open(struct play *play, const struct stage *stage);
void play_close(struct play *play);

/* Opens `publisher`. play_open calls this; call it again after closing `publisher`. */
void play_publish(struct play *play);

/* Opens the follower. Fills in the names and addresses, and the database unless `live` or `outside` is set.
 */
void play_follow(struct play *play, const struct event_follower_options *wished);

/*
 * Opens the follower, and waits until both ends of the pub/sub connection are up and Fetch has reached the
 * head.
 */
void play_follow_to_head(struct play *play, const struct event_follower_options *wished);

struct event_follower_status play_status(struct play *play);
void play_wait_state(struct play *play, enum follower_state state);

/* Commits events without publishing them. */
void play_commit(struct play *play, size_t count);

/*
 * play_send publishes `message`. play_send_events publishes `count` committed events from `first` on, or a
 * heartbeat at `first` if `count` is 0.
 */
void play_send(struct play *play, nng_msg *message);
void play_send_events(struct play *play, uint64_t first, size_t count);

/* Checks that the service has applied the log exactly up to `seq`. */
void play_expect_cursor(struct play *play, uint64_t seq);

#endif
