/*
 * Limits nng's callback threads to two, on any machine, by an option of nng 1.7.0 and later. one_processor.c
 * does the same for earlier versions.
 *
 * A message is handed to one of these threads four times on its way. Handing it to an idle thread costs a
 * system call and a context switch each time, and all threads contend for the same locks. Two threads are
 * busy enough to be awake usually.
 */
#include <nng/nng.h>

/* CMakeLists.txt links this file by this symbol. */
extern const char nng_callback_threads;
const char nng_callback_threads = 0;

/* The options must be set before any other call of nng. */
__attribute__((constructor)) static void limit_threads(void)
{
    nng_init_set_parameter(NNG_INIT_NUM_TASK_THREADS, 2);
    nng_init_set_parameter(NNG_INIT_NUM_EXPIRE_THREADS, 1); /* for the expiry of timeouts */
}
