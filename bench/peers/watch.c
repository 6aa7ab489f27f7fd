/*
 * Prints as JSON the processor time that each peer process, including its children, uses during a
 * measurement.
 *   bench-watch AFTER_S SECONDS NAME=PID...    waits AFTER_S seconds, then measures for SECONDS
 */
#include "watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/standard_files.h"

static void sleep_s(double seconds)
{
    struct timespec left = {.tv_sec = (time_t)seconds,
                            .tv_nsec = (long)((seconds - (double)(time_t)seconds) * NS_PER_MS * MS_PER_S)};
    while (nanosleep(&left, &left) != 0) {
    }
}

int main(int argc, char **argv)
{
    standard_files_open();
    struct watch watch = {.count = 0};
    bool good = argc > 3;
    for (int i = 3; i < argc; i++)
        good = good && watch_add_text(&watch, argv[i]);
    if (!good) {
        fprintf(stderr, "usage: bench-watch AFTER_S SECONDS NAME=PID...\n");
        return 2;
    }
    sleep_s(strtod(argv[1], NULL));
    watch_begin(&watch);
    sleep_s(strtod(argv[2], NULL));
    watch_end(&watch);
    for (size_t i = 0; i < watch.count; i++) {
        const struct watched *watched = &watch.processes[i];
        const struct usage used = watch_used(watched);
        if (!watched->readable) {
            fprintf(stderr, "bench-watch: %s can't be read\n", watched->name);
            return 1;
        }
        printf("%s\"%s\": {\"user_s\": %.2f, \"kernel_s\": %.2f}", i == 0 ? "{" : ", ", watched->name,
               (double)used.user_us / US_PER_S, (double)used.kernel_us / US_PER_S);
    }
    puts("}");
    return 0;
}
