/*
 * One request and its answer over a channel: an nng context of its REQ socket, with an arena for the
 * response.
 *
 *   IDLE --started--> SENDING --handed to a connection--> RECEIVING --answered or failed--> IDLE
 *                        ^------PAUSING <--to be sent again-----/
 *
 * The receive begins only when the send has ended, and a send is never cancelled with a receive pending: nng
 * before 1.6.0 crashes on either. After the send has begun, an exchange belongs to its callback until it is
 * back in the channel's pool.
 */
#ifndef SCREENING_RPC_EXCHANGE_H
#define SCREENING_RPC_EXCHANGE_H

#include <nng/nng.h>
#include <protobuf-c/protobuf-c.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/backoff.h"
#include "base/status.h"
#include "rpc/channel.h"

enum rpc_exchange_state {
    RPC_EXCHANGE_IDLE,
    RPC_EXCHANGE_SENDING,
    RPC_EXCHANGE_RECEIVING,
    RPC_EXCHANGE_PAUSING,
};

struct rpc_exchange {
    struct rpc_channel *channel;
    struct rpc_exchange *next_idle;
    struct rpc_exchange *next_of_all;
    nng_ctx ctx;
    nng_aio *aio; /* to send and to pause */
    /*
     * nng 1.5.2 takes all aios whose time is up from its list, and then cancels what each of them does one
     * after the other: a receive that begins on the aio of a send in between would time out as well, with all
     * of its time left, and its answer would be lost.
     */
    nng_aio *receive_aio;
    pthread_mutex_t mutex; /* held while an operation is begun, so that stopping meets it or prevents it */
    bool stopped;
    enum rpc_exchange_state state;
    /* Of the attempt at hand. */
    bool admitted; /* by the breaker, in `era` */
    bool left;
    uint64_t era;
    int64_t begun_ns;
    /* Of the call. */
    struct backoff backoff;
    nng_msg *kept; /* what can be sent again; NULL = nothing is */
    uint32_t timeout_ms;
    int64_t deadline_ns;
    struct rpc_client_call *call;
    const ProtobufCMessageDescriptor *output;
    ProtobufCClosure closure;
    struct arena *into; /* where the response is unpacked: `arena`, or the caller's */
    struct arena arena;
};

/* NULL when out of memory. */
struct rpc_exchange *rpc_exchange_create(struct rpc_channel *channel);

/* After rpc_exchange_stop. */
void rpc_exchange_destroy(struct rpc_exchange *exchange);

/*
 * Sends `msg`, takes ownership of it. The fields from timeout_ms on are set. The closure is called exactly
 * once, on a callback thread or, when nothing could be sent, on this one, and the exchange then goes back to
 * the channel.
 */
void rpc_exchange_start(struct rpc_exchange *exchange, nng_msg *msg);

/* Fails what is under way with UNAVAILABLE and waits until its closure has returned. Nothing starts any more.
 */
void rpc_exchange_stop(struct rpc_exchange *exchange);

#endif
