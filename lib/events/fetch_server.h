/*
 * The fetch thread. It serves fetches, holds long polls, and reads the head for each heartbeat, on its own
 * database connection. Client connections take turns (base/fair_queue.h), so a subscriber that catches up
 * waits for at most one fetch of each other subscriber, however many they send. Fetches are refused as the
 * writer's requests are (base/admission.h). A fetch whose connection already has its share of long polls gets
 * its reply immediately.
 */
#ifndef SCREENING_EVENTS_FETCH_SERVER_H
#define SCREENING_EVENTS_FETCH_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "events/event_store.h"
#include "rpc/server.h"

#include "screening/v1/event.pb-c.h"

struct fetch_server;

struct fetch_server_options {
    uint32_t heartbeat_ms;
    size_t response_max_bytes;
    size_t long_polls_max;
    /* Called on the fetch thread at every heartbeat, with the head as read from the database. */
    void (*heartbeat)(void *context, const struct event_head *head);
    void *context;
};

/* Returns NULL when out of memory. */
struct fetch_server *fetch_server_create(const struct fetch_server_options *options);

/*
 * Stops the thread if it is running, and frees the server. No fetch may be in flight or be submitted later.
 * NULL is allowed.
 */
void fetch_server_destroy(struct fetch_server *server);

/* Opens the connection and starts the thread. Fails as db_open does. */
MUST_CHECK enum status fetch_server_start(struct fetch_server *server, const char *database_url,
                                          struct error *error);

/* Queues the call, which is always answered eventually. Any thread; never blocks. */
void fetch_server_submit(struct fetch_server *server, struct rpc_call *call,
                         const Screening__V1__FetchRequest *request);

/*
 * Reports that the head has moved, so that long polls read the log again. If `heartbeat`, also sends a
 * heartbeat immediately. Any thread.
 */
void fetch_server_wake(struct fetch_server *server, bool heartbeat);

/* Lets no long poll wait any longer. Any thread. */
void fetch_server_drain(struct fetch_server *server);

#endif
