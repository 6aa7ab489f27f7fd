/*
 * Limits the number of processors that nng sees in our programs.
 *
 * nng 1.5.2 starts two callback threads per processor and has no option to change that. A message is handed
 * to one of them four times on its way. Handing it to an idle thread costs a system call and a context switch
 * each time, and all threads contend for the same locks. Two threads are busy enough to be awake usually.
 *
 * As in closed_peer.c, a function defined in the program takes precedence over the C library's.
 */
#include <unistd.h>

/* CMakeLists.txt links this file by this symbol. */
extern const char rpc_nng_threads;
const char rpc_nng_threads = 0;

/* The C library's sysconf under its other name. */
extern long sysconf_of_c_library(int name) __asm__("__sysconf");

/* The sanitizers call sysconf before they are initialized, so it must not be instrumented. */
__attribute__((no_sanitize("address", "thread", "undefined"))) long sysconf(int name)
{
    return name == _SC_NPROCESSORS_ONLN ? 1 : sysconf_of_c_library(name);
}
