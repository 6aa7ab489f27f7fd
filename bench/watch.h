/*
 * What processes used between two moments, from /proc: of the services under load, and of the load itself.
 * Reads files; not for several threads at once.
 *
 * A process counts with its children, also those that ended meanwhile and were waited for: PostgreSQL's work
 * is done by those of its first process. Only memory is that of the process alone: the children share it.
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
    int64_t voluntary, involuntary; /* context switches; those of threads that ended are not known */
    int64_t stored_bytes;           /* for a disk: pages made dirty, each as often as it was */
    int64_t written_bytes;          /* handed to write() and its kin, to sockets too */
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

/* False when there are too many, or `name` is too long. */
bool watch_add(struct watch *watch, const char *name, pid_t pid);

/* The same from "NAME=PID"; false for anything else too. */
bool watch_add_text(struct watch *watch, const char *text);

/* Take the figures of all; a process that is gone or may not be read is not `readable` from then on. */
void watch_begin(struct watch *watch);
void watch_end(struct watch *watch);

/* Between the two; memory as at the end. */
struct usage watch_used(const struct watched *watched);

#endif
