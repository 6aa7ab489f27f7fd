/*
 * Publishes a log. It sends pub/sub messages and heartbeats on one address, and serves EventLogService.Fetch
 * (with long poll) on the service's RPC server. A separate thread with its own database connection serves all
 * fetches.
 */
#ifndef SCREENING_EVENTS_PUBLISHER_H
#define SCREENING_EVENTS_PUBLISHER_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct event_publisher;

struct event_publisher_options {
    const char *topic;      /* "booking" or "hospital" */
    const char *address;    /* the address for pub/sub */
    uint32_t heartbeat_ms;  /* interval of heartbeats; 0 = 500 */
    size_t batch_max_bytes; /* maximum size of a published batch; 0 = 256 KiB */
    size_t fetch_max_bytes; /* maximum size of the events in a reply to Fetch; 0 = 1 MiB minus 4 KiB */
    size_t long_polls_max;  /* maximum number of waiting fetches; 0 = 64 */
};

/* Binds the address. Returns INVALID_ARGUMENT "events-listen: ..." if the address is malformed or in use. */
MUST_CHECK enum status event_publisher_open(const struct event_publisher_options *options,
                                            struct event_publisher **out, struct error *error);

/*
 * Returns the EventLogService, which the caller adds to its RPC server. The service lives as long as the
 * publisher.
 */
ProtobufCService *event_publisher_service(struct event_publisher *publisher);

/*
 * Opens the publisher's database connection and starts the thread that sends heartbeats and serves fetches.
 * Call it after events_migrate. Fails like db_open, or with RESOURCE_EXHAUSTED.
 */
MUST_CHECK enum status event_publisher_start(struct event_publisher *publisher, const char *database_url,
                                             struct error *error);

/*
 * Answers all current and later long polls immediately, even without events. Call it before rpc_server_drain.
 */
void event_publisher_drain(struct event_publisher *publisher);

/*
 * Stops the thread and closes the socket. Call it after rpc_server_close. `publisher` may be NULL, or may
 * never have been started.
 */
void event_publisher_close(struct event_publisher *publisher);

/* ---- for event_log ---- */

/*
 * Publishes one packed EventBatch unless it is too large, and wakes the long polls. Runs on the writer
 * thread.
 */
void event_publisher_publish(struct event_publisher *publisher, const uint8_t *batch, size_t size);

#endif
