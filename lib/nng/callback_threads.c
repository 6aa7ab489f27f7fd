/*
 * Limits nng's callback threads to two on any machine, with an option of nng 1.7.0 and later. one_processor.c
 * does the same for earlier versions.
 *
 * A message is handed to one of these threads four times on its way. Each time, waking an idle thread costs a
 * system call and a context switch, and all threads contend for the same locks. With only two threads, both
 * are awake most of the time.
 */
#include <nng/nng.h>

/* CMakeLists.txt uses this symbol to link this file. */
extern const char nng_callback_threads;
const char nng_callback_threads = 0;

/* The options must be set before any other call to nng. */
__attribute__((constructor)) static void limit_threads(void)
{
    nng_init_set_parameter(NNG_INIT_NUM_TASK_THREADS, 2);
    nng_init_set_parameter(NNG_INIT_NUM_EXPIRE_THREADS, 1); /* these threads expire timeouts */
}
