/*
 * Predicts how long a new request will wait. It uses the recent pace of batches that left requests waiting,
 * and the number of other commands per request. Without a measured pace it predicts nothing, because a
 * request with no backlog ahead waits for one batch at most. Not thread-safe.
 */
#ifndef SCREENING_BASE_BACKLOG_H
#define SCREENING_BASE_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All sums decay, so that older batches count less and less. */
struct backlog {
    double commands, requests; /* numbers taken, with or without a backlog; requests are part of commands */
    bool standing;             /* whether the last batch left requests waiting */
    int64_t taken_ns;          /* when the last batch was taken (monotonic) */
    size_t taken;              /* number of commands in the last batch */
    double ns, commands_in_ns; /* time spent during backlogs, and the commands done in that time */
};

/*
 * Records that a batch of `commands`, of which `requests` are requests, was taken at `now_ns`, and that
 * `left` requests still wait.
 */
void backlog_took(struct backlog *backlog, size_t commands, size_t requests, size_t left, int64_t now_ns);

/*
 * Like backlog_took, for a queue that is served one item at a time. Records that `requests` were served in
 * `ns` while others waited throughout.
 */
void backlog_passed(struct backlog *backlog, size_t requests, int64_t ns);

/* Records that a queue measured by backlog_passed is empty. */
void backlog_ended(struct backlog *backlog);

/*
 * Returns how long a request waits behind `ahead` others until its batch starts. Returns 0 if that is unknown
 * or if the request does not wait.
 */
int64_t backlog_wait_ns(const struct backlog *backlog, size_t ahead);

#endif
