/*
 * The resource usage of processes between two moments, from /proc: the services under load, and the load
 * generator itself. Reads files; not thread-safe.
 *
 * A process is counted with its children, including those that have ended and were waited for: the children
 * of PostgreSQL's first process do its work. Only memory is that of the process alone, because its children
 * share it.
 */
#ifndef SCREENING_BENCH_WATCH_H
#define SCREENING_BENCH_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { WATCH_MAX = 8, WATCH_NAME_SIZE = 32 };

struct usage {
    int64_t user_us, kernel_us;
    int64_t voluntary, involuntary; /* context switches, without those of threads that have ended */
    int64_t stored_bytes;           /* to disk: dirtied pages, each counted once per time that it became
                                     * dirty */
    int64_t written_bytes;          /* passed to write() and similar calls, including sockets */
    int64_t rss_kib, rss_peak_kib;
};

struct watched {
    char name[WATCH_NAME_SIZE];
    pid_t pid;
    bool readable;
    struct usage at_begin, at_end;
};

struct watch {
    struct watched processes[WATCH_MAX];
    size_t count;
};

/* Adds a process. Returns false when there are too many, or `name` is too long. */
bool watch_add(struct watch *watch, const char *name, pid_t pid);

/* Like watch_add, from "NAME=PID". Also returns false for anything else. */
bool watch_add_text(struct watch *watch, const char *text);

/*
 * Takes the figures of all processes. A process that has ended or is not accessible is not `readable` from
 * then on.
 */
void watch_begin(struct watch *watch);
void watch_end(struct watch *watch);

/* Returns the difference between the two, with the memory as at the end. */
struct usage watch_used(const struct watched *watched);

#endif
