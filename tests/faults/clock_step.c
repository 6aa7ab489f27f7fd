/*
 * A library that shifts the wall clock of a service under test. It is preloaded into the service
 * (LD_PRELOAD). The file named in SCREENING_CLOCK_STEP contains the shift, an int64_t in ns, which may change
 * at any time. The monotonic clock stays correct, as it does when an operator or NTP sets a machine's clock.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const int64_t ns_per_s = 1000000000;
static const _Atomic int64_t *step_ns; /* shared with the test; NULL = no step */

__attribute__((constructor)) static void map_step(void)
{
    const char *path = getenv("SCREENING_CLOCK_STEP");
    int file = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *map = file >= 0 ? mmap(NULL, sizeof *step_ns, PROT_READ, MAP_SHARED, file, 0) : MAP_FAILED;
    if (map == MAP_FAILED) {
        (void)fputs("clock_step: SCREENING_CLOCK_STEP must name a file of 8 bytes\n", stderr);
        _exit(2);
    }
    (void)close(file);
    step_ns = map;
}

/* Adds the step to the wall clock. Makes the system call directly, because a sanitizer's own clock_gettime
 * may not be ready when the sanitizer itself calls this function. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && step_ns != NULL && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t ns = now->tv_sec * ns_per_s + now->tv_nsec + atomic_load(step_ns);
        now->tv_sec = ns / ns_per_s;
        now->tv_nsec = ns % ns_per_s;
    }
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    (void)zone;
    struct timespec exact;
    int result = clock_gettime(CLOCK_REALTIME, &exact);
    if (result == 0) {
        now->tv_sec = exact.tv_sec;
        now->tv_usec = exact.tv_nsec / 1000;
    }
    return result;
}

time_t time(time_t *out)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL)
        *out = now.tv_sec;
    return now.tv_sec;
}
