#include "base/random.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/check.h"

/* Random bytes not yet handed out. They are the last `left` bytes of the array. */
static _Thread_local uint8_t stock[RANDOM_MAX_BYTES];
static _Thread_local size_t left;

static pthread_once_t fork_guarded = PTHREAD_ONCE_INIT;

/*
 * Forgets the bytes in a child process, which must not hand out its parent's bytes again. Only the forking
 * thread survives in it.
 */
static void forget_stock(void)
{
    left = 0;
}

static void guard_fork(void)
{
    if (pthread_atfork(NULL, NULL, forget_stock) != 0)
        abort(); /* out of memory at the process's first id, when there is no work to save yet */
}

static void restock(void)
{
    (void)pthread_once(&fork_guarded, guard_fork); /* fails only for an invalid pthread_once_t */
    ssize_t got;
    do {
        got = getrandom(stock, sizeof stock, 0);
    } while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof stock)
        abort(); /* the kernel never cuts 256 bytes short; without getrandom we cannot make safe ids */
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
