#include "rpc/janitor.h"

#include "base/clock.h"
#include "base/log.h"
#include "rpc/envelope.h"
#include "rpc/metrics.h"
#include "rpc/server_state.h"

/*
 * The minimum time between a scan of the slots and the next scan that it plans. The reply to an expired call
 * may be late by this much.
 */
enum { SCAN_GAP_MS = 2 };

static void answer_expired(struct rpc_slot *slot, const struct rpc_expired *expired)
{
    struct error error;
    (void)error_set(&error, STATUS_DEADLINE_EXCEEDED, NULL, "the call's time is up");
    metric_add(&rpc_server_metrics.expired, 1);
    metric_add(&rpc_server_metrics.in_flight, -1);
    rpc_method_metrics_answered(expired->metrics, error.status,
                                (clock_monotonic_ns() - expired->arrival_ns) / NS_PER_US);
    rpc_slot_send(slot, rpc_envelope_error(&error));
}

/* Replies to all expired calls. Returns the earliest remaining deadline. */
static int64_t answer_all_expired(struct rpc_server *server, int64_t now_ns)
{
    int64_t earliest_ns = RPC_SLOT_NO_DEADLINE;
    size_t count = atomic_load(&server->slot_count);
    for (size_t i = 0; i < count; i++) {
        struct rpc_slot *slot = &server->slots[i];
        struct rpc_expired expired;
        int64_t deadline_ns = atomic_load(&slot->deadline_ns);
        if (deadline_ns > now_ns)
            earliest_ns = deadline_ns < earliest_ns ? deadline_ns : earliest_ns;
        else if (rpc_slot_claim_expired(slot, now_ns, &expired))
            answer_expired(slot, &expired);
    }
    return earliest_ns;
}

static void open_slots_if_low(struct rpc_server *server)
{
    while (atomic_load(&server->receiving) < RPC_SLOTS_LOW &&
           atomic_load(&server->slot_count) < server->slot_max) {
        struct error error;
        if (rpc_server_grow(server, &error) != STATUS_OK) {
            log_event(LOG_ERROR, "rpc.slots_not_opened", LOG_TEXT("error", error.message));
            return;
        }
    }
}

/* Scans the slots and opens more if necessary. Returns the time of the next scan. */
static int64_t look(struct rpc_server *server)
{
    int64_t now_ns = clock_monotonic_ns();
    int64_t next_ns = answer_all_expired(server, now_ns);
    if (next_ns < now_ns + (int64_t)SCAN_GAP_MS * NS_PER_MS)
        next_ns = now_ns + (int64_t)SCAN_GAP_MS * NS_PER_MS;
    open_slots_if_low(server);
    return next_ns;
}

/* Sleeps until the planned time, or until a scan or a stop is requested. Lock held. */
static void sleep_until_planned(struct rpc_janitor *janitor)
{
    for (;;) {
        int64_t planned_ns = atomic_load(&janitor->planned_ns);
        if (janitor->stop || janitor->asked || planned_ns <= clock_monotonic_ns())
            return;
        monitor_wait(&janitor->monitor, planned_ns);
    }
}

static void *run(void *context)
{
    struct rpc_server *server = context;
    struct rpc_janitor *janitor = &server->janitor;
    monitor_lock(&janitor->monitor);
    for (;;) {
        sleep_until_planned(janitor);
        if (janitor->stop)
            break;
        janitor->asked = false;
        /*
         * From here on every new call reports its deadline, even if look() has already passed its slot: the
         * call's thread stores the slot's deadline before rpc_janitor_expect reads planned_ns, and look()
         * reads the deadlines after this reset of planned_ns.
         */
        atomic_store(&janitor->planned_ns, RPC_SLOT_NO_DEADLINE);
        monitor_unlock(&janitor->monitor);
        int64_t next_ns = look(server);
        monitor_lock(&janitor->monitor);
        if (next_ns < atomic_load(&janitor->planned_ns))
            atomic_store(&janitor->planned_ns, next_ns);
    }
    monitor_unlock(&janitor->monitor);
    return NULL;
}

void rpc_janitor_init(struct rpc_janitor *janitor)
{
    monitor_init(&janitor->monitor);
    atomic_init(&janitor->planned_ns, RPC_SLOT_NO_DEADLINE);
}

void rpc_janitor_fini(struct rpc_janitor *janitor)
{
    monitor_fini(&janitor->monitor);
}

enum status rpc_janitor_start(struct rpc_janitor *janitor, struct rpc_server *server, struct error *error)
{
    if (pthread_create(&janitor->thread, NULL, run, server) != 0)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "rpc server: no thread to be had");
    janitor->started = true;
    return STATUS_OK;
}

void rpc_janitor_stop(struct rpc_janitor *janitor)
{
    if (!janitor->started)
        return;
    monitor_lock(&janitor->monitor);
    janitor->stop = true;
    monitor_notify(&janitor->monitor);
    monitor_unlock(&janitor->monitor);
    pthread_join(janitor->thread, NULL);
    janitor->started = false;
}

void rpc_janitor_expect(struct rpc_janitor *janitor, int64_t deadline_ns)
{
    if (deadline_ns >= atomic_load(&janitor->planned_ns))
        return;
    monitor_lock(&janitor->monitor);
    if (deadline_ns < atomic_load(&janitor->planned_ns)) {
        atomic_store(&janitor->planned_ns, deadline_ns);
        monitor_notify(&janitor->monitor);
    }
    monitor_unlock(&janitor->monitor);
}

void rpc_janitor_wake(struct rpc_janitor *janitor)
{
    monitor_lock(&janitor->monitor);
    janitor->asked = true;
    monitor_notify(&janitor->monitor);
    monitor_unlock(&janitor->monitor);
}
