/*
 * State shared by the channel's source files. channel.c opens and closes, backends.c holds the backends,
 * routing.c gives them calls, keeper.c maintains them, exchange.c makes the calls.
 */
#ifndef SCREENING_RPC_CHANNEL_STATE_H
#define SCREENING_RPC_CHANNEL_STATE_H

#include <nng/nng.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address_list.h"
#include "base/resolver.h"
#include "nng/redial.h"
#include "rpc/balance.h"
#include "rpc/channel.h"
#include "rpc/exchange.h"
#include "rpc/guard.h"

struct ticker;

/* One process that serves the channel's calls, with a socket of its own. Its mark is in channel->balance. */
struct rpc_backend {
    struct rpc_channel *channel;
    size_t slot;
    char *address; /* as it is dialled */
    /*
     * Whether it stands for names that have no address yet, and is never connected. Calls then fail as with
     * an address at which nobody listens.
     */
    bool nobody;
    struct tls_dialing tls;
    nng_socket socket;
    struct redial redial;                /* used only by rpc_channel_open, then only by the keeper */
    struct rpc_backend_metrics *metrics; /* NULL = none */
    int64_t left_ns;                     /* used only by the keeper: since when the backend leaves idle */
    /* The following members are guarded by the channel's mutex. */
    bool stuck; /* whether closing the socket has hung, so that nng's callbacks may run at any time */
    struct rpc_exchange *idle; /* the most recently used first, because its memory is likely to be cached */
    bool checking;             /* whether a health check is in flight */
    struct rpc_client_call check;
};

struct rpc_channel {
    char *address, *tls_ca; /* tls_ca: or NULL */
    const char *tls_name;
    struct address_list list;
    size_t message_max_bytes;
    rpc_authorize_fn authorize;
    void *authorize_context;
    size_t calls_max;                /* maximum number of calls in flight; 0 = no limit */
    struct resolver *resolver;       /* NULL if no address is a name; used by the keeper */
    _Atomic(struct ticker *) keeper; /* NULL until the channel is open */
    int64_t look_ns;                 /* used only by the keeper: when it looks at the backends again */
    int64_t ticked_ns;               /* likewise: when it last ran */
    int64_t fair_ns;                 /* likewise: it takes no backend for silent before this time */
    _Atomic bool woken;              /* whether it must look now */
    _Atomic size_t connections;      /* number of backends with a connection */
    struct rpc_guard guard;
    pthread_mutex_t mutex;  /* guards the fields below; no other lock is taken while it is held */
    struct resolved wanted; /* the addresses that should have a backend */
    struct balance balance;
    struct rpc_backend *backends[BALANCE_MAX]; /* by slot */
    size_t used_count;                         /* number of backends that may get calls */
    bool lost; /* whether a connection was lost since the keeper last looked */
    uint32_t random;
    bool closing;
    bool answers_may_come; /* whether calls were in flight when the channel was stopped */
    size_t busy;           /* number of exchanges that are not idle */
    struct rpc_exchange *all;
};

/* ---- backends.c ---- */

/*
 * Opens a backend and dials it; with `wait`, until it is connected. If `address` is NULL, opens one that
 * stands for nobody. Returns INVALID_ARGUMENT, RESOURCE_EXHAUSTED or, with `wait`, UNAVAILABLE. One thread at
 * a time.
 */
MUST_CHECK enum status rpc_backend_open(struct rpc_channel *channel, const struct resolved_address *address,
                                        bool wait, struct error *error);

/*
 * Closes a backend that has no call in flight and is not stuck. Returns false if it is stuck now, because
 * nng's callbacks may still use it and the channel (stuck_reaper.h). It then stays in memory and in its slot.
 */
bool rpc_backend_close(struct rpc_backend *backend);

/* ---- routing.c ---- */

/*
 * Chooses a backend, and returns an idle exchange for it, or a new one if none is idle. On failure, sets
 * `error` and returns NULL.
 */
struct rpc_exchange *rpc_channel_acquire(struct rpc_channel *channel, struct error *error);

/* Like rpc_channel_acquire, for a health check of this backend. The bulkhead does not count. */
struct rpc_exchange *rpc_channel_acquire_check(struct rpc_backend *backend, struct error *error);

void rpc_channel_release(struct rpc_channel *channel, struct rpc_exchange *exchange);

/*
 * Gives the exchange, which is between two attempts, a backend of one of the `kinds` (balance.h) that it has
 * not tried. Returns false if there is none.
 */
bool rpc_channel_move(struct rpc_exchange *exchange, unsigned kinds);

/* Returns whether a usable backend exists other than the one of the exchange. */
bool rpc_channel_has_other(const struct rpc_exchange *exchange);

/* Returns whether the backend of the exchange has answered no call since `since_ns`. */
bool rpc_channel_is_silent(const struct rpc_exchange *exchange, int64_t since_ns);

/*
 * Record a try without an answer, and refusals, of the backend of the exchange (balance.h).
 * rpc_channel_release and rpc_channel_move record an answer, and rpc_channel_note_answer if the exchange now
 * pauses.
 */
void rpc_channel_note_answer(struct rpc_exchange *exchange);
void rpc_channel_note_silence(struct rpc_exchange *exchange);
void rpc_channel_note_refusal(struct rpc_exchange *exchange, uint32_t retry_after_ms);
void rpc_channel_note_draining(struct rpc_exchange *exchange, uint32_t retry_after_ms, int connection);

/* ---- keeper.c ---- */

/*
 * Starts the channel's own thread, which redials, opens and closes backends as their names change, checks
 * ejected ones, and ends the waits for silent ones. Returns RESOURCE_EXHAUSTED when out of memory or threads.
 */
MUST_CHECK enum status rpc_keeper_open(struct rpc_channel *channel, struct error *error);

/* Lets the keeper look now. Any thread. */
void rpc_keeper_wake(struct rpc_channel *channel);

/* Copies the addresses that should have a backend to `out`. Any thread. */
void rpc_keeper_get_wanted(struct rpc_channel *channel, struct resolved *out);

#endif
