/*
 * The call lives until both its waiter and nng's callback have finished with it. The lock order is the call's
 * own monitor, then the waiter's. nng's thread unpacks the reply, because the waiter may be busy.
 */
#include "events/fetch_client.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/container.h"

struct fetch_call {
    struct rpc_client_call call;
    struct arena arena; /* holds the response */
    struct monitor own;
    struct monitor *waiter; /* guarded by `own`; NULL once the waiter has abandoned the call */
    bool answered;          /* guarded by the waiter's monitor, like the next member */
    const Screening__V1__FetchResponse *response; /* NULL if there is none */
};

static void destroy(struct fetch_call *fetch)
{
    monitor_fini(&fetch->own);
    arena_fini(&fetch->arena);
    free(fetch);
}

static void on_answer(const Screening__V1__FetchResponse *response, void *closure_data)
{
    struct fetch_call *fetch = container_of(closure_data, struct fetch_call, call);
    monitor_lock(&fetch->own);
    struct monitor *waiter = fetch->waiter;
    if (waiter != NULL) {
        monitor_lock(waiter);
        fetch->response = response;
        fetch->answered = true;
        monitor_notify(waiter);
        monitor_unlock(waiter);
    }
    monitor_unlock(&fetch->own);
    if (waiter == NULL)
        destroy(fetch);
}

struct fetch_call *fetch_call_begin(struct rpc_client *client, const Screening__V1__FetchRequest *request,
                                    const struct rpc_client_call *options, struct monitor *monitor)
{
    struct fetch_call *fetch = calloc(1, sizeof *fetch);
    if (fetch == NULL)
        return NULL;
    monitor_init(&fetch->own);
    arena_init(&fetch->arena);
    fetch->waiter = monitor;
    fetch->call = *options;
    fetch->call.into = &fetch->arena;
    screening__v1__event_log_service__fetch(rpc_client_service(client), request, on_answer, &fetch->call);
    return fetch;
}

bool fetch_call_answered(const struct fetch_call *fetch)
{
    return fetch->answered;
}

enum status fetch_call_wait(struct fetch_call *fetch, const bool *stop,
                            const Screening__V1__FetchResponse **out, struct error *error)
{
    struct monitor *monitor = fetch->waiter;
    monitor_lock(monitor);
    while (!fetch->answered && !*stop)
        monitor_wait(monitor, INT64_MAX);
    bool answered = fetch->answered;
    monitor_unlock(monitor);
    if (!answered)
        return error_set(error, STATUS_CANCELLED, NULL, "stopped waiting");
    *error = fetch->call.error;
    if (error->status == STATUS_OK)
        *out = fetch->response;
    return error->status;
}

void fetch_call_end(struct fetch_call *fetch)
{
    if (fetch == NULL)
        return;
    monitor_lock(&fetch->own);
    monitor_lock(fetch->waiter);
    bool answered = fetch->answered;
    monitor_unlock(fetch->waiter);
    fetch->waiter = NULL;
    monitor_unlock(&fetch->own);
    if (answered)
        destroy(fetch);
}
