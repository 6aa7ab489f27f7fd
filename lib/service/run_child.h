/* For tests of what ends the process: runs a function in a child and catches what it prints. */
#ifndef SCREENING_SERVICE_RUN_CHILD_H
#define SCREENING_SERVICE_RUN_CHILD_H

#include <sys/types.h>

#include "base/unit_test.h"

enum { CHILD_OUTPUT_SIZE = 8192 };

struct child {
    pid_t pid;
    int out_fd;
    int error_fd;
    int exit_code; /* -1 = ended by a signal */
    char out[CHILD_OUTPUT_SIZE];
    char error[CHILD_OUTPUT_SIZE];
};

/* Starts `run(context)` in a child process, which exits with 0 when it returns. Before any thread is started.
 */
void child_start(struct child *child, void (*run)(void *context), void *context);

/* Reads one line of the child's standard output into `line`; an empty line when the output has ended. */
void child_read_line(struct child *child, char *line, size_t size);

/* Waits for the end of the child and collects the rest of its output and its exit code. */
void child_finish(struct child *child);

#endif
