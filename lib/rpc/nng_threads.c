/*
 * How many processors nng is told of, in our programs.
 *
 * nng 1.5.2 starts two threads for callbacks per processor, and offers no way to have it otherwise. A message
 * is handed to one of them four times on its way: as long as one is idle, each time costs a system call and a
 * change of context, and all of them queue for the same locks. Two are busy enough to be found awake.
 *
 * As with closed_peer.c, a function of the program goes before the C library's.
 */
#include <unistd.h>

/* By this name CMakeLists.txt has the file linked. */
extern const char rpc_nng_threads;
const char rpc_nng_threads = 0;

/* The C library's own, by its other name. */
extern long sysconf_of_c_library(int name) __asm__("__sysconf");

/* The sanitizers call it before they are ready to look at anything. */
__attribute__((no_sanitize("address", "thread", "undefined"))) long sysconf(int name)
{
    return name == _SC_NPROCESSORS_ONLN ? 1 : sysconf_of_c_library(name);
}
