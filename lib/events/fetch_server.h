/*
 * The fetch thread. It serves fetches, holds long polls, and reads the head for each heartbeat, on its own
 * database connection. Client connections take turns (base/fair_queue.h), so a subscriber that is catching up
 * waits for at most one fetch from each other subscriber, however many fetches the others send. Fetches are
 * refused by the same rules as the writer's requests (base/admission.h). If a connection already has its
 * share of long polls, its further fetches are answered immediately.
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

/* Creates the server, without its thread. Returns NULL when out of memory. */
struct fetch_server *fetch_server_create(const struct fetch_server_options *options);

/*
 * Stops the thread if it is running, and frees the server. No fetch may be in flight or be submitted later.
 * NULL is allowed.
 */
void fetch_server_destroy(struct fetch_server *server);

/* Opens the connection and starts the thread. Fails like db_open, or with RESOURCE_EXHAUSTED. */
MUST_CHECK enum status fetch_server_start(struct fetch_server *server, const char *database_url,
                                          struct error *error);

/*
 * Queues the call, or answers it with an error. A queued call is eventually answered. Any thread; never
 * blocks.
 */
void fetch_server_submit(struct fetch_server *server, struct rpc_call *call,
                         const Screening__V1__FetchRequest *request);

/*
 * Reports that the head has moved, so that long polls read the log again. If `heartbeat`, also causes a
 * heartbeat to be sent immediately. Any thread.
 */
void fetch_server_wake(struct fetch_server *server, bool heartbeat);

/* Answers all waiting long polls, and from now on answers new ones immediately. Any thread. */
void fetch_server_drain(struct fetch_server *server);

#endif
