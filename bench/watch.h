/*
 * Measures, from /proc, the resources that processes use between two moments: the services under load and the
 * load generator itself. Reads files; not thread-safe.
 *
 * A process is counted with its children, including those that have ended and were waited for, because in
 * PostgreSQL the children of the first process do the work. Only the memory is that of the process alone,
 * because its children share it.
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
    int64_t voluntary, involuntary; /* context switches, except those of threads that have ended */
    int64_t stored_bytes;  /* bytes to be stored on the disk, counted whenever a page becomes dirty */
    int64_t written_bytes; /* bytes passed to write() and similar calls, also for sockets */
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

/* Adds a process. Returns false if there are too many processes or `name` is too long. */
bool watch_add(struct watch *watch, const char *name, pid_t pid);

/* Like watch_add, with name and pid given as "NAME=PID". Also returns false for any other text. */
bool watch_add_text(struct watch *watch, const char *text);

/* Read the figures of all processes. For a process that has ended or is not accessible, clear `readable`. */
void watch_begin(struct watch *watch);
void watch_end(struct watch *watch);

/* Returns the usage between watch_begin and watch_end, with the memory at the end. */
struct usage watch_used(const struct watched *watched);

#endif
