/*
 * The server's own thread. It replies to calls whose budget has ended, and opens more slots when few are
 * receiving. Otherwise it sleeps.
 */
#ifndef SCREENING_RPC_JANITOR_H
#define SCREENING_RPC_JANITOR_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/monitor.h"
#include "base/status.h"

struct rpc_server;

struct rpc_janitor {
    pthread_t thread;
    bool started;
    struct monitor monitor;
    _Atomic int64_t planned_ns; /* time of the next scan; written with the lock held */
    bool asked;                 /* whether a scan has been requested */
    bool stop;
};

void rpc_janitor_init(struct rpc_janitor *janitor);
void rpc_janitor_fini(struct rpc_janitor *janitor);

/* Starts the thread. Returns RESOURCE_EXHAUSTED if that fails. */
MUST_CHECK enum status rpc_janitor_start(struct rpc_janitor *janitor, struct rpc_server *server,
                                         struct error *error);

/* Ends the thread, if it was started, and joins it. */
void rpc_janitor_stop(struct rpc_janitor *janitor);

/*
 * Makes the janitor scan the slots by `deadline_ns` at the latest. The caller must already have stored the
 * deadline in the slot.
 */
void rpc_janitor_expect(struct rpc_janitor *janitor, int64_t deadline_ns);

/* Makes the janitor scan the slots now. */
void rpc_janitor_wake(struct rpc_janitor *janitor);

#endif
