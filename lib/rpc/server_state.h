/* State shared by the server's source files. No lock is taken while another one is held. */
#ifndef SCREENING_RPC_SERVER_STATE_H
#define SCREENING_RPC_SERVER_STATE_H

#include <nng/nng.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/access.h"
#include "nng/muted.h"
#include "rpc/call.h"
#include "rpc/health.h"
#include "rpc/introspection.h"
#include "rpc/janitor.h"
#include "rpc/metrics.h"
#include "rpc/outbox.h"
#include "rpc/server.h"
#include "rpc/slot.h"

enum {
    RPC_SERVICES_MAX = 16,
    RPC_SLOTS_BLOCK = 128, /* number of slots opened at a time */
    RPC_SLOTS_LOW = 32,    /* another block is opened when fewer slots than this are receiving */
    RPC_RETRY_AFTER_MS = 300,
    /* The limit on the memory of all large requests together, in multiples of message_max_bytes. */
    RPC_LARGE_REQUESTS = 32,
};

struct rpc_service_entry {
    ProtobufCService *service;
    struct rpc_method_metrics *metrics; /* one for each method; set by rpc_server_start */
    struct access_rule *rules;          /* one for each method; NULL = no rules; set by rpc_server_start */
    /* Whether the service is also served before rpc_server_serve and while draining. */
    bool always;
};

struct rpc_server {
    nng_socket socket;
    nng_listener service_listener;
    nng_listener gateway_listener; /* NNG_LISTENER_INITIALIZER = none */
    nng_listener client_listener;  /* likewise */
    struct rpc_access access;
    char *program;
    size_t message_max_bytes;
    uint32_t default_timeout_ms;
    uint32_t max_timeout_ms;
    uint32_t reply_timeout_ms;
    struct rpc_service_entry services[RPC_SERVICES_MAX]; /* fixed once the server has started */
    size_t service_count;
    struct rpc_method_metrics *unknown_method;
    struct rpc_health health;
    struct rpc_introspection introspection;
    rpc_not_ready_fn not_ready;
    rpc_degraded_fn degraded;
    void *observer;

    struct rpc_slot *slots; /* slot_max entries; the first slot_count are open */
    size_t slot_max;
    _Atomic size_t slot_count; /* only grows, first in rpc_server_start, later in the janitor */
    _Atomic size_t receiving;  /* number of slots that are receiving */
    _Atomic size_t in_flight;
    _Atomic size_t sending;
    _Atomic size_t large_bytes; /* total size of the large requests whose calls are held */
    _Atomic size_t invoking;    /* number of callbacks that are calling a handler or may be about to */

    struct rpc_call_pool calls;
    struct rpc_janitor janitor;
    struct muted muted;
    struct rpc_outbox outbox;

    _Atomic bool serving;
    _Atomic bool draining;
    /* Once set, no handler is called, not even one of an `always` service. */
    _Atomic bool shut;
    /* While draining: the last time at which the server refused a request or was busy. */
    _Atomic int64_t last_heard_ns;

    /* The following members are used only by the thread that drains and closes. */
    bool hung_up; /* whether the listener and all connections are closed */
    /* Whether closing the socket hung, so that the server must stay in memory for nng's callbacks. */
    bool callbacks_linger;
};

/*
 * Opens up to RPC_SLOTS_BLOCK more slots, but no more than slot_max in total, and starts to receive on them.
 * One thread at a time.
 */
MUST_CHECK enum status rpc_server_grow(struct rpc_server *server, struct error *error);

#endif
