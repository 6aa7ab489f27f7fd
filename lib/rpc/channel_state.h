/* State shared by the channel's source files. */
#ifndef SCREENING_RPC_CHANNEL_STATE_H
#define SCREENING_RPC_CHANNEL_STATE_H

#include <nng/nng.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "nng/redial.h"
#include "rpc/channel.h"
#include "rpc/exchange.h"
#include "rpc/guard.h"

struct rpc_channel {
    nng_socket socket;
    char *address, *tls_ca; /* tls_ca: or NULL */
    struct tls_dialing tls;
    struct redial redial; /* used only by the thread that calls rpc_channel_look_after */
    size_t message_max_bytes;
    rpc_authorize_fn authorize;
    void *authorize_context;
    size_t calls_max;    /* maximum number of calls in flight; 0 = no limit */
    _Atomic int pipe_id; /* id of the current connection; 0 = none */
    struct rpc_guard guard;
    pthread_mutex_t mutex; /* guards the fields below; no other lock is taken while it is held */
    bool closing;
    bool answers_may_come;     /* whether calls were in flight when the channel was stopped */
    size_t busy;               /* number of exchanges that are not idle */
    struct rpc_exchange *idle; /* the most recently used first, because its memory is likely to be cached */
    struct rpc_exchange *all;
};

/* Returns an idle exchange, or a new one if none is idle. On failure, sets `error` and returns NULL. */
struct rpc_exchange *rpc_channel_acquire(struct rpc_channel *channel, struct error *error);

void rpc_channel_release(struct rpc_channel *channel, struct rpc_exchange *exchange);

#endif
