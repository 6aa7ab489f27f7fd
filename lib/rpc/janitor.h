/*
 * The server's own thread, asleep until there is something to do: it answers calls whose budget has ended,
 * and opens more slots when few are left.
 */
#ifndef SCREENING_RPC_JANITOR_H
#define SCREENING_RPC_JANITOR_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct rpc_server;

struct rpc_janitor {
    pthread_t thread;
    bool started;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    _Atomic int64_t planned_ns; /* when it will look again; written with the mutex held */
    bool asked;                 /* to look now */
    bool stop;
};

void rpc_janitor_init(struct rpc_janitor *janitor);
void rpc_janitor_fini(struct rpc_janitor *janitor);

/* RESOURCE_EXHAUSTED if there is no thread to be had. */
MUST_CHECK enum status rpc_janitor_start(struct rpc_janitor *janitor, struct rpc_server *server,
                                         struct error *error);

/* Ends the thread, if it was started, and waits for it. */
void rpc_janitor_stop(struct rpc_janitor *janitor);

/* Makes it look at the slots at `deadline_ns` at the latest; the slot's own deadline is set already. */
void rpc_janitor_expect(struct rpc_janitor *janitor, int64_t deadline_ns);

/* Makes it look now. */
void rpc_janitor_wake(struct rpc_janitor *janitor);

#endif
