/*
 * One request and its reply over a channel: an nng context of the REQ socket of a backend, with an arena for
 * the response.
 *
 *   IDLE --started--> SENDING --handed to a connection--> RECEIVING --answered or failed--> IDLE
 *                      ^   ^---PAUSING <--to be sent again-----/ |
 *                      \-------to another backend at once--------/
 *
 * The receive starts only after the send has ended, and a send is never cancelled while a receive is pending,
 * because nng before 1.6.0 crashes otherwise. Once the send has started, the exchange is owned by its
 * callback until it returns to the channel's pool.
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
#include "nng/expiring_aio.h"
#include "rpc/channel.h"

enum rpc_exchange_state {
    RPC_EXCHANGE_IDLE,
    RPC_EXCHANGE_SENDING,
    RPC_EXCHANGE_RECEIVING,
    RPC_EXCHANGE_PAUSING,
};

/* How an attempt ended. */
enum rpc_fate {
    RPC_FATE_NONE,     /* it has not ended, or was refused or stopped in this process */
    RPC_FATE_UNSENT,   /* the message never left */
    RPC_FATE_ANSWERED, /* the backend replied, also with an error */
    RPC_FATE_LOST,     /* the connection was lost after the message had left */
    RPC_FATE_GIVEN_UP, /* no reply came within half of the budget (rpc_exchange_look) */
    RPC_FATE_SILENT,   /* no reply came in time */
};

struct rpc_backend;

struct rpc_exchange {
    struct rpc_channel *channel;
    /* To whose socket `ctx` belongs. Changes only between two attempts, with the channel's mutex held. */
    struct rpc_backend *backend;
    struct rpc_exchange *next_idle;
    struct rpc_exchange *next_of_all;
    nng_ctx ctx;
    nng_aio *aio;                /* for sending and pausing */
    struct expiring_aio receive; /* a separate aio, as explained in expiring_aio.h */
    pthread_mutex_t mutex; /* held while an operation starts, so that rpc_exchange_stop either cancels the
                              operation or prevents it */
    /* The following three members are guarded by `mutex`. */
    bool stopped;
    int64_t give_up_ns; /* when rpc_exchange_look may end the wait for the reply; 0 = never */
    bool cut;           /* whether rpc_exchange_look has ended it */
    enum rpc_exchange_state state;
    /* The following members belong to the current attempt. */
    bool left;
    bool watched; /* whether give_up_ns is set */
    enum rpc_fate fate;
    int64_t sent_ns; /* set if the channel has several backends */
    /* The following members belong to the attempts since the call's begin or its last pause. */
    bool admitted; /* whether the breaker admitted them, in era `era` */
    uint64_t era;
    int64_t begun_ns;
    uint64_t tried;    /* bits of the slots of the backends that have failed */
    uint32_t pause_ms; /* how long the backend must be left alone; set when it is chosen */
    /* The following members belong to the call. */
    bool check;    /* whether it is a health check, which goes to one backend, once */
    bool several;  /* whether the channel had several backends when the call began */
    bool retries;  /* whether it is retried within the retry budget */
    bool doubtful; /* whether an earlier attempt may have been executed */
    bool gave_up;  /* whether the call has already left a silent backend */
    bool hopped;   /* whether the call has already gone on after a lost connection */
    struct backoff backoff;
    nng_msg *kept; /* the message to send again; NULL = the call is not sent again */
    uint32_t timeout_ms;
    int64_t deadline_ns;
    struct rpc_client_call *call;
    const ProtobufCMessageDescriptor *output;
    ProtobufCClosure closure;
    struct arena *into; /* the arena for the response: `arena` or the caller's */
    struct arena arena;
};

/* Creates an idle exchange. Returns NULL when out of memory. */
struct rpc_exchange *rpc_exchange_create(struct rpc_backend *backend);

/* Frees the exchange. Call it after rpc_exchange_stop. */
void rpc_exchange_destroy(struct rpc_exchange *exchange);

/*
 * Connects the exchange, between two attempts, to the socket of another backend. Returns false when out of
 * memory.
 */
bool rpc_exchange_connect(struct rpc_exchange *exchange, nng_socket socket);

/*
 * Sends `msg` and takes ownership of it. The caller must have set the fields from timeout_ms to `into`. The
 * closure is called exactly once, on a callback thread or, if nothing could be sent, on the calling thread.
 * Then the exchange returns to the channel's pool.
 */
void rpc_exchange_start(struct rpc_exchange *exchange, nng_msg *msg);

/*
 * Ends the wait for a reply if half of the remaining budget has passed, another backend is usable, and the
 * retry budget allows it. The call then goes to the other backend. Call it
 * often, on the keeper's thread.
 */
void rpc_exchange_look(struct rpc_exchange *exchange, int64_t now_ns);

/*
 * Fails the call in flight, if any, with UNAVAILABLE and waits until its closure has returned. No operation
 * can start afterwards.
 */
void rpc_exchange_stop(struct rpc_exchange *exchange);

#endif
