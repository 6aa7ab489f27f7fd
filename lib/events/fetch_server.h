/*
 * The thread that answers fetches, keeps long polls waiting and looks at the head for the heartbeat, with a
 * database connection of its own. Connections take turns (base/fair_queue.h), so that a subscriber that
 * catches up waits for one fetch of each of the others, however many these send. Fetches are refused as the
 * writer's requests are (base/admission.h); one that arrives when its connection has all the long polls that
 * it may have is answered at once.
 */
#ifndef SCREENING_EVENTS_FETCH_SERVER_H
#define SCREENING_EVENTS_FETCH_SERVER_H

#include "event_store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "rpc/server.h"

#include "screening/v1/event.pb-c.h"

struct fetch_server;

struct fetch_server_options {
    uint32_t heartbeat_ms;
    size_t response_max_bytes;
    size_t long_polls_max;
    /* Called on the thread at every heartbeat with the head as the database tells it. */
    void (*heartbeat)(void *context, const struct event_head *head);
    void *context;
};

/* NULL when out of memory. */
struct fetch_server *fetch_server_create(const struct fetch_server_options *options);

/* Stops the thread if there is one and frees. No fetch may be in hand or follow. NULL is allowed. */
void fetch_server_destroy(struct fetch_server *server);

/* Opens the connection and starts the thread. Fails as db_open does. */
MUST_CHECK enum status fetch_server_start(struct fetch_server *server, const char *database_url,
                                          struct error *error);

/* Answers the call sooner or later, in any case. Any thread; never blocks. */
void fetch_server_submit(struct fetch_server *server, struct rpc_call *call,
                         const Screening__V1__FetchRequest *request);

/* The head has moved: long polls look again; `heartbeat`: and a heartbeat tells at once. Any thread. */
void fetch_server_wake(struct fetch_server *server, bool heartbeat);

/* From now on no poll waits. Any thread. */
void fetch_server_drain(struct fetch_server *server);

#endif
