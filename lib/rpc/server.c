/*
 * The life cycle of a server: open (binds, but does not reply yet), start (serves Health and Introspection),
 * serve (serves everything), drain, close. slot.h, dispatch.h and call.h describe the life of one request.
 */
#include "rpc/server.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/supplemental/util/platform.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "nng/stuck_reaper.h"
#include "rpc/envelope.h"
#include "rpc/identify.h"
#include "rpc/server_state.h"

enum {
    SLOTS_DEFAULT = 4608,
    TIMEOUT_DEFAULT_MS = 1000,
    TIMEOUT_MAX_DEFAULT_MS = 60000,
    REPLY_TIMEOUT_DEFAULT_MS = 2000,
    DRAIN_QUIET_MS = 200,
    DRAIN_REFUSING_MAX_MS = 2000,
    DRAIN_STEP_MS = 5,
    SHUT_STEP_MS = 1,
    CLOSE_SETTLE_MS = 20,
};

static size_t size_or(size_t value, size_t fallback)
{
    return value != 0 ? value : fallback;
}

static uint32_t ms_or(uint32_t value, uint32_t fallback)
{
    return value != 0 ? value : fallback;
}

static void add_service(struct rpc_server *server, ProtobufCService *service, bool always)
{
    CHECK(server->service_count < RPC_SERVICES_MAX); /* raise the maximum for a program with more services */
    server->services[server->service_count++] =
        (struct rpc_service_entry){.service = service, .always = always};
}

static struct rpc_server *create(const struct rpc_server_options *options)
{
    struct rpc_server *server = calloc(1, sizeof *server);
    if (server == NULL)
        return NULL;
    server->slot_max = size_or(options->contexts, SLOTS_DEFAULT);
    server->message_max_bytes = size_or(options->message_max_bytes, RPC_MESSAGE_MAX_DEFAULT);
    server->default_timeout_ms = ms_or(options->default_timeout_ms, TIMEOUT_DEFAULT_MS);
    server->max_timeout_ms = ms_or(options->max_timeout_ms, TIMEOUT_MAX_DEFAULT_MS);
    server->reply_timeout_ms = ms_or(options->reply_timeout_ms, REPLY_TIMEOUT_DEFAULT_MS);
    server->program = strdup(options->program);
    /* The table takes no memory until slots are opened. */
    server->slots = calloc(server->slot_max, sizeof server->slots[0]);
    if (server->program == NULL || server->slots == NULL) {
        free(server->slots);
        free(server->program);
        free(server);
        return NULL;
    }
    server->access = options->access;
    rpc_call_pool_init(&server->calls);
    rpc_janitor_init(&server->janitor);
    muted_init(&server->muted);
    rpc_outbox_init(&server->outbox);
    add_service(server, rpc_health_init(&server->health, server), true);
    add_service(server, rpc_introspection_init(&server->introspection, server), true);
    return server;
}

static void destroy(struct rpc_server *server)
{
    size_t count = atomic_load(&server->slot_count);
    for (size_t i = 0; i < count; i++)
        rpc_slot_fini(&server->slots[i]);
    for (size_t i = 0; i < server->service_count; i++)
        free(server->services[i].rules);
    rpc_outbox_fini(&server->outbox);
    muted_fini(&server->muted);
    rpc_janitor_fini(&server->janitor);
    rpc_call_pool_fini(&server->calls);
    free(server->slots);
    free(server->program);
    free(server);
}

static enum status listen_at(struct rpc_server *server, const char *setting, const char *address,
                             nng_listener *out, struct error *error)
{
    nng_listener listener;
    int rv = nng_listener_create(&listener, server->socket, address);
    if (rv == 0) {
        rv = nng_listener_set_size(listener, NNG_OPT_RECVMAXSZ,
                                   server->message_max_bytes + RPC_NNG_HEADER_BYTES);
    }
    if (rv == 0 && strncmp(address, "tcp://", 6) == 0) {
        /*
         * If a client's machine vanishes, its connection stays open, and only keepalive probes detect that.
         */
        rv = nng_listener_set_bool(listener, NNG_OPT_TCP_KEEPALIVE, true);
    }
    if (rv == 0)
        rv = nng_listener_start(listener, 0);
    if (rv != 0)
        return error_invalid(error, "%s: %s: %s", setting, address, nng_strerror(rv));
    *out = listener;
    return STATUS_OK;
}

static enum status listen_at_all(struct rpc_server *server, const struct rpc_server_options *options,
                                 struct error *error)
{
    const char *gateway = options->gateway_address;
    TRY(listen_at(server, "rpc-listen", options->address, &server->service_listener, error));
    if (gateway != NULL && gateway[0] != '\0')
        TRY(listen_at(server, "gateway-listen", gateway, &server->gateway_listener, error));
    if (options->client_address != NULL && options->client_address[0] != '\0')
        TRY(listen_at(server, "client-listen", options->client_address, &server->client_listener, error));
    return STATUS_OK;
}

static void on_pipe(nng_pipe pipe, nng_pipe_ev event, void *context)
{
    bool added = event == NNG_PIPE_EV_ADD_PRE;
    metric_add(&rpc_server_metrics.connections, added ? 1 : -1);
    if (!added)
        muted_remove(&((struct rpc_server *)context)->muted, pipe);
}

/*
 * Counts the connections from now on. Returns nng's error code, or 0. Uses ADD_PRE instead of ADD_POST,
 * because nng reports REM_POST, but not ADD_POST, for a connection that the protocol refused.
 */
static int watch_pipes(struct rpc_server *server)
{
    int rv = nng_pipe_notify(server->socket, NNG_PIPE_EV_ADD_PRE, on_pipe, server);
    return rv != 0 ? rv : nng_pipe_notify(server->socket, NNG_PIPE_EV_REM_POST, on_pipe, server);
}

enum status rpc_server_open(const struct rpc_server_options *options, struct rpc_server **out,
                            struct error *error)
{
    struct rpc_server *server = create(options);
    if (server == NULL)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "rpc server: out of memory");
    int rv = nng_rep0_open(&server->socket);
    if (rv != 0) {
        destroy(server);
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "rpc server: %s", nng_strerror(rv));
    }
    enum status status = STATUS_OK;
    rv = watch_pipes(server);
    if (rv != 0)
        status = error_set(error, STATUS_INTERNAL, NULL, "rpc server: %s", nng_strerror(rv));
    else
        status = listen_at_all(server, options, error);
    if (status != STATUS_OK) {
        (void)nng_close(server->socket);
        destroy(server);
        return status;
    }
    rpc_server_metrics_register();
    rpc_identify_register_metrics();
    *out = server;
    return STATUS_OK;
}

void rpc_server_add(struct rpc_server *server, ProtobufCService *service)
{
    add_service(server, service, false);
}

void rpc_server_observe(struct rpc_server *server, rpc_not_ready_fn not_ready, rpc_degraded_fn degraded,
                        void *context)
{
    server->not_ready = not_ready;
    server->degraded = degraded;
    server->observer = context;
}

enum status rpc_server_grow(struct rpc_server *server, struct error *error)
{
    size_t count = atomic_load(&server->slot_count);
    size_t wanted = count + RPC_SLOTS_BLOCK < server->slot_max ? count + RPC_SLOTS_BLOCK : server->slot_max;
    CHECK(count <= server->slot_max);
    for (; count < wanted; count++) {
        struct rpc_slot *slot = &server->slots[count];
        TRY(rpc_slot_open(slot, server, error));
        atomic_store(&server->slot_count, count + 1);
        metric_add(&rpc_server_metrics.slots, 1);
        rpc_slot_receive(slot);
    }
    return STATUS_OK;
}

/* Finds the metrics of all methods. Returns false when out of memory. */
static bool find_metrics(struct rpc_server *server)
{
    server->unknown_method = rpc_method_metrics_of(NULL);
    bool complete = server->unknown_method != NULL;
    for (size_t i = 0; i < server->service_count && complete; i++) {
        struct rpc_service_entry *entry = &server->services[i];
        entry->metrics = rpc_method_metrics_of(entry->service->descriptor);
        complete = entry->metrics != NULL;
    }
    return complete;
}

/* Reads the access rules of all methods. */
static enum status load_rules(struct rpc_server *server, struct error *error)
{
    const struct rpc_access *access = &server->access;
    for (size_t i = 0; access->descriptors != NULL && i < server->service_count; i++) {
        const ProtobufCServiceDescriptor *descriptor = server->services[i].service->descriptor;
        server->services[i].rules = calloc(descriptor->n_methods, sizeof(struct access_rule));
        if (server->services[i].rules == NULL)
            return error_no_memory(error);
        TRY(access_rules_load(access->descriptors, access->descriptors_size, descriptor,
                              server->services[i].rules, error));
    }
    return STATUS_OK;
}

enum status rpc_server_start(struct rpc_server *server, struct error *error)
{
    CHECK(server->access.identify == NULL || server->access.descriptors != NULL);
    TRY(load_rules(server, error));
    if (!find_metrics(server))
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "rpc server: out of memory");
    TRY(rpc_outbox_start(&server->outbox, error));
    TRY(rpc_server_grow(server, error));
    /* Start the janitor last, because only one thread at a time may call rpc_server_grow. */
    return rpc_janitor_start(&server->janitor, server, error);
}

void rpc_server_serve(struct rpc_server *server)
{
    atomic_store(&server->serving, true);
}

const char *rpc_server_not_ready(struct rpc_server *server)
{
    if (atomic_load(&server->draining))
        return "stopping"; /* the caller may soon close what not_ready uses */
    const char *observed = server->not_ready == NULL ? NULL : server->not_ready(server->observer);
    return observed != NULL || atomic_load(&server->serving) ? observed : "starting";
}

size_t rpc_server_in_flight(struct rpc_server *server)
{
    return atomic_load(&server->in_flight);
}

void rpc_server_hold_answers(struct rpc_server *server)
{
    (void)server; /* a thread sends replies of one server only */
    rpc_outbox_hold();
}

void rpc_server_send_answers(struct rpc_server *server)
{
    rpc_outbox_release(&server->outbox);
}

/* Returns whether a call is in flight, or a reply has not yet been handed to a connection. */
static bool is_busy(struct rpc_server *server)
{
    return atomic_load(&server->in_flight) > 0 || atomic_load(&server->sending) > 0;
}

/*
 * Returns whether the server has been quiet for DRAIN_QUIET_MS. While the server is busy, the quiet period
 * starts again, because a client that has just received a reply may send another request, which must be
 * refused too.
 */
static bool is_quiet(struct rpc_server *server)
{
    int64_t now_ns = clock_monotonic_ns();
    if (is_busy(server))
        atomic_store(&server->last_heard_ns, now_ns);
    return now_ns - atomic_load(&server->last_heard_ns) >= (int64_t)DRAIN_QUIET_MS * NS_PER_MS;
}

/* Closes everything. From here on no slot is opened and nothing is received. */
static void hang_up(struct rpc_server *server)
{
    rpc_janitor_stop(&server->janitor);
    rpc_outbox_stop(&server->outbox);
    size_t count = atomic_load(&server->slot_count);
    for (size_t i = 0; i < count; i++)
        rpc_slot_stop(&server->slots[i]);
    for (size_t i = 0; i < count; i++) {
        rpc_slot_close(&server->slots[i]);
        metric_add(&rpc_server_metrics.slots, -1);
    }
    /*
     * Without slots, each connection reads at most one more request. Wait for that read to end
     * (stuck_reaper.h).
     */
    nng_msleep(CLOSE_SETTLE_MS);
    server->callbacks_linger = !socket_close(server->socket);
    server->hung_up = true;
}

/*
 * Prevents new handlers from starting, and waits until none runs. Calls may still be answered. The wait has
 * no time limit, because handlers never block, and because the caller then frees everything that they use.
 */
static void shut(struct rpc_server *server)
{
    atomic_store(&server->draining, true);
    atomic_store(&server->shut, true);
    while (atomic_load(&server->invoking) > 0)
        nng_msleep(SHUT_STEP_MS);
}

bool rpc_server_drain(struct rpc_server *server, uint32_t grace_ms)
{
    int64_t begin_ns = clock_monotonic_ns();
    int64_t refuse_until_ns = begin_ns + (int64_t)DRAIN_REFUSING_MAX_MS * NS_PER_MS;
    int64_t end_ns = begin_ns + (int64_t)grace_ms * NS_PER_MS;
    atomic_store(&server->last_heard_ns, begin_ns);
    atomic_store(&server->draining, true);
    while (!is_quiet(server) && clock_remaining_ms(refuse_until_ns) > 0 && clock_remaining_ms(end_ns) > 0)
        nng_msleep(DRAIN_STEP_MS);
    while (is_busy(server) && clock_remaining_ms(end_ns) > 0)
        nng_msleep(DRAIN_STEP_MS);
    bool answered = !is_busy(server);
    shut(server);
    if (answered)
        hang_up(server);
    return answered;
}

void rpc_server_close(struct rpc_server *server)
{
    if (server == NULL)
        return;
    shut(server);
    rpc_call_pool_wait(&server->calls);
    if (!server->hung_up)
        hang_up(server);
    if (!server->callbacks_linger)
        destroy(server);
}
