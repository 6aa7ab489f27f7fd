/*
 * Predicts how long a new request will wait. The prediction uses the recent pace of the batches that left
 * requests waiting, and the number of other commands per request. Without a measured pace the prediction is
 * 0, because a request with no backlog ahead of it waits for at most one batch. Not thread-safe.
 */
#ifndef SCREENING_BASE_BACKLOG_H
#define SCREENING_BASE_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All sums decay, so that older batches count less and less. */
struct backlog {
    double commands, requests; /* commands taken in all batches, and the requests among them */
    bool standing;             /* whether the last batch left requests waiting */
    int64_t taken_ns;          /* when the last batch was taken (monotonic) */
    size_t taken;              /* number of commands in the last batch */
    double ns, commands_in_ns; /* total duration of backlogs, and the commands taken in that time */
};

/*
 * Records that a batch of `commands` commands, of which `requests` are requests, was taken at `now_ns`
 * (monotonic), and that `left` requests still wait.
 */
void backlog_took(struct backlog *backlog, size_t commands, size_t requests, size_t left, int64_t now_ns);

/*
 * Like backlog_took, for a queue that is served one item at a time. Records that `requests` requests were
 * served within `ns` nanoseconds, during which at least one other request was always waiting.
 */
void backlog_passed(struct backlog *backlog, size_t requests, int64_t ns);

/* Records that a queue measured with backlog_passed is now empty. */
void backlog_ended(struct backlog *backlog);

/*
 * Predicts how long a request behind `ahead` others waits until its batch starts. Returns 0 if the wait is
 * unknown or if the request does not wait.
 */
int64_t backlog_wait_ns(const struct backlog *backlog, size_t ahead);

#endif
