/*
 * What the files of the server share. Lock order: none is ever held while another is taken.
 */
#ifndef SCREENING_RPC_SERVER_STATE_H
#define SCREENING_RPC_SERVER_STATE_H

#include <nng/nng.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rpc/call.h"
#include "rpc/health.h"
#include "rpc/introspection.h"
#include "rpc/janitor.h"
#include "rpc/method_metrics.h"
#include "rpc/muted.h"
#include "rpc/outbox.h"
#include "rpc/server.h"
#include "rpc/slot.h"

enum {
    RPC_SERVICES_MAX = 16,
    RPC_SLOTS_BLOCK = 128, /* opened at once, */
    RPC_SLOTS_LOW = 32,    /* when so few are receiving */
    RPC_RETRY_AFTER_MS = 300,
    RPC_LARGE_REQUESTS = 32, /* of the largest size: so much memory may large requests take together */
};

struct rpc_service_entry {
    ProtobufCService *service;
    struct rpc_method_metrics *metrics; /* of its methods; set by rpc_server_start */
    bool always;                        /* also before rpc_server_serve and while draining */
};

struct rpc_server {
    nng_socket socket;
    nng_listener gateway_listener; /* NNG_LISTENER_INITIALIZER = none */
    char *program;
    size_t message_max_bytes;
    uint32_t default_timeout_ms;
    uint32_t max_timeout_ms;
    uint32_t reply_timeout_ms;

    struct rpc_service_entry services[RPC_SERVICES_MAX]; /* fixed once started */
    size_t service_count;
    struct rpc_method_metrics *unknown_method;
    struct rpc_health health;
    struct rpc_introspection introspection;
    rpc_not_ready_fn not_ready;
    rpc_degraded_fn degraded;
    void *observer;

    struct rpc_slot *slots; /* slot_max of them; the first slot_count are open */
    size_t slot_max;
    _Atomic size_t slot_count; /* grows only: by rpc_server_start, then by the janitor */
    _Atomic size_t receiving;  /* slots in each state */
    _Atomic size_t in_flight;
    _Atomic size_t sending;
    _Atomic size_t large_bytes; /* of the large requests whose calls are held */
    _Atomic size_t invoking;    /* callbacks that call a handler, or may yet call one */

    struct rpc_call_pool calls;
    struct rpc_janitor janitor;
    struct rpc_muted muted;
    struct rpc_outbox outbox;

    _Atomic bool serving;
    _Atomic bool draining;
    _Atomic bool shut;             /* no handler is called any more, `always` or not */
    _Atomic int64_t last_heard_ns; /* draining: when a request was last refused or still in hand */

    /* Of the thread that drains and closes. */
    bool hung_up;          /* listener and connections are closed */
    bool callbacks_linger; /* they could not be closed: the server has to stay for nng's callbacks */
};

/* Opens up to RPC_SLOTS_BLOCK more slots, as far as slot_max, and lets them receive. One thread at a time. */
MUST_CHECK enum status rpc_server_grow(struct rpc_server *server, struct error *error);

#endif
