/* For tests of code that ends the process. Runs a function in a child process and captures its output. */
#ifndef SCREENING_SERVICE_CHILD_TESTING_H
#define SCREENING_SERVICE_CHILD_TESTING_H

#include <sys/types.h>

#include "base/unit_testing.h"

enum { CHILD_OUTPUT_SIZE = 8192 };

struct child {
    pid_t pid;
    int out_fd;
    int error_fd;
    int exit_code; /* -1 = killed by a signal */
    char out[CHILD_OUTPUT_SIZE];
    char error[CHILD_OUTPUT_SIZE];
};

/*
 * Starts `run(context)` in a child process, which exits with 0 when `run` returns. Call this before starting
 * any thread.
 */
void child_start(struct child *child, void (*run)(void *context), void *context);

/* Sets `line` to the next line of the child's standard output, or to "" at the end of the output. */
void child_read_line(struct child *child, char *line, size_t size);

/* Waits for the child to end, and collects the rest of its output and its exit code. */
void child_finish(struct child *child);

#endif
