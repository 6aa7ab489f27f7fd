#include "base/random.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/check.h"

/* Random bytes that no caller has received yet. They are the last `left` bytes of the array. */
static _Thread_local uint8_t stock[RANDOM_MAX_BYTES];
static _Thread_local size_t left;

static pthread_once_t fork_guarded = PTHREAD_ONCE_INIT;

/* Discards the bytes in a forked child, because the parent still has them. The child has no other thread. */
static void forget_stock(void)
{
    left = 0;
}

static void guard_fork(void)
{
    if (pthread_atfork(NULL, NULL, forget_stock) != 0)
        abort(); /* out of memory on the first use of this module, when no work can be lost */
}

static void restock(void)
{
    (void)pthread_once(&fork_guarded, guard_fork); /* fails only for an invalid pthread_once_t */
    ssize_t got;
    do {
        got = getrandom(stock, sizeof stock, 0);
    } while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof stock)
        abort(); /* the kernel always returns 256 bytes in full; ids must not be predictable */
    left = sizeof stock;
}

void random_fill(void *out, size_t size)
{
    CHECK(size <= RANDOM_MAX_BYTES && left <= sizeof stock);
    if (left < size)
        restock();
    memcpy(out, stock + sizeof stock - left, size);
    left -= size;
}
