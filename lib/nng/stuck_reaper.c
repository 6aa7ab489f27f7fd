#include "nng/stuck_reaper.h"

#include <nng/protocol/pair0/pair.h>
#include <nng/supplemental/util/platform.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/ticker.h"

enum { PATIENCE_MS = 2000, PATIENCE_ONCE_HUNG_MS = 100 };
enum { TRY_EVERY_MS = 500, CLOSE_WAIT_MS = 1000, LOOK_EVERY_MS = 1 };

/* ---- closing a socket ---- */

/* Whether a close has hung. The reaper then remains stuck, so later closes wait for a shorter time. */
static _Atomic bool hung;

static void *close_socket(void *id)
{
    (void)nng_close((nng_socket){.id = (uint32_t)(uintptr_t)id}); /* fails only if already closed */
    return NULL;
}

bool socket_close(nng_socket socket)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, close_socket, (void *)(uintptr_t)socket.id) != 0) {
        (void)nng_close(socket); /* without a thread, this may block */
        return true;
    }
    int patience_ms = atomic_load(&hung) ? PATIENCE_ONCE_HUNG_MS : PATIENCE_MS;
    int64_t deadline_ns = clock_monotonic_ns() + (int64_t)patience_ms * NS_PER_MS;
    while (pthread_tryjoin_np(thread, NULL) != 0) {
        if (clock_monotonic_ns() >= deadline_ns) {
            atomic_store(&hung, true);
            pthread_detach(thread);
            log_plain(LOG_WARN, "rpc.socket_close_hangs");
            return false;
        }
        nng_msleep(LOOK_EVERY_MS);
    }
    return true;
}

/* ---- the watch ---- */

struct transport_watch {
    struct ticker *ticker;
    _Atomic bool closing;     /* whether to stop making attempts */
    _Atomic uint64_t attempt; /* odd while an attempt is under way */
    /* The following members are used only by the caller of transport_watch_is_stuck. */
    uint64_t seen; /* value of `attempt` at the last call */
    int looks;     /* number of consecutive calls that found that attempt still under way */
};

/*
 * Opens, connects and closes a pair of sockets. Hangs if the reaper is stuck. Ignores failures, because a
 * socket that cannot be opened need not be closed.
 */
static void try_transport(void)
{
    nng_socket listening, dialing;
    char address[64];
    (void)snprintf(address, sizeof address, "inproc://transport-watch-%ld", (long)getpid());
    if (nng_pair0_open(&listening) != 0)
        return;
    if (nng_pair0_open(&dialing) == 0) {
        if (nng_listen(listening, address, NULL, 0) == 0)
            (void)nng_dial(dialing, address, NULL, 0);
        (void)nng_close(dialing);
    }
    (void)nng_close(listening);
}

static void tick(void *context, struct ticker *ticker)
{
    (void)ticker;
    struct transport_watch *watch = context;
    atomic_fetch_add(&watch->attempt, 1);
    if (!atomic_load(&watch->closing))
        try_transport();
    atomic_fetch_add(&watch->attempt, 1);
}

enum status transport_watch_open(struct transport_watch **out, struct error *error)
{
    struct transport_watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL)
        return error_no_memory(error);
    enum status status = ticker_open(TRY_EVERY_MS, tick, watch, &watch->ticker, error);
    if (status != STATUS_OK) {
        free(watch);
        return status;
    }
    *out = watch;
    return STATUS_OK;
}

bool transport_watch_is_stuck(void *context)
{
    struct transport_watch *watch = context;
    uint64_t attempt = atomic_load(&watch->attempt);
    watch->looks = attempt % 2 == 1 && attempt == watch->seen ? watch->looks + 1 : 0;
    watch->seen = attempt;
    return watch->looks >= TRANSPORT_STUCK_LOOKS;
}

void transport_watch_close(struct transport_watch *watch)
{
    if (watch == NULL)
        return;
    atomic_store(&watch->closing, true);
    int64_t deadline_ns = clock_monotonic_ns() + CLOSE_WAIT_MS * (int64_t)NS_PER_MS;
    while (atomic_load(&watch->attempt) % 2 == 1) {
        if (clock_monotonic_ns() >= deadline_ns)
            return;
        nng_msleep(LOOK_EVERY_MS);
    }
    ticker_close(watch->ticker); /* no attempt can be under way now */
    free(watch);
}
