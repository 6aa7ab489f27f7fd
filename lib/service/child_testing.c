#include "service/child_testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

void child_start(struct child *child, void (*run)(void *context), void *context)
{
    int out[2], error[2];
    assert_int_equal(pipe(out), 0);
    assert_int_equal(pipe(error), 0);
    fflush(NULL); /* otherwise the child would print our buffered output again */
    child->pid = fork();
    assert_true(child->pid >= 0);
    if (child->pid == 0) {
        dup2(out[1], STDOUT_FILENO);
        dup2(error[1], STDERR_FILENO);
        close(out[0]);
        close(error[0]);
        run(context);
        fflush(NULL);
        _exit(EXIT_SUCCESS);
    }
    close(out[1]);
    close(error[1]);
    child->out_fd = out[0];
    child->error_fd = error[0];
}

void child_read_line(struct child *child, char *line, size_t size)
{
    size_t length = 0;
    while (length + 1 < size && read(child->out_fd, &line[length], 1) == 1 && line[length] != '\n')
        length++;
    line[length] = '\0';
}

static void read_all(int fd, char out[CHILD_OUTPUT_SIZE])
{
    size_t length = 0;
    ssize_t count;
    while (length + 1 < CHILD_OUTPUT_SIZE &&
           (count = read(fd, out + length, CHILD_OUTPUT_SIZE - 1 - length)) > 0)
        length += (size_t)count;
    out[length] = '\0';
    close(fd);
}

void child_finish(struct child *child)
{
    int status;
    read_all(child->out_fd, child->out);
    read_all(child->error_fd, child->error);
    assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
    child->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
