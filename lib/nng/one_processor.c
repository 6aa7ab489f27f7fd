/*
 * Defines the sysconf that nng calls in our programs. It reports one processor.
 *
 * nng 1.5.2 starts two callback threads per processor and has no option to change that. callback_threads.c
 * uses the option of later versions, and explains why two are enough. As in handshake_epipe.c, a function
 * defined in the program takes precedence over the C library's.
 */
#include <unistd.h>

/* CMakeLists.txt uses this symbol to link this file. */
extern const char nng_one_processor;
const char nng_one_processor = 0;

/* Another name of the C library's sysconf. */
extern long sysconf_of_c_library(int name) __asm__("__sysconf");

/* The sanitizers call sysconf before they are initialised, so this function must not be instrumented. */
__attribute__((no_sanitize("address", "thread", "undefined"))) long sysconf(int name)
{
    return name == _SC_NPROCESSORS_ONLN ? 1 : sysconf_of_c_library(name);
}
