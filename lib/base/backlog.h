/*
 * Predicts how long a new request will wait. It uses the recent pace of batches that left requests waiting,
 * and the number of other commands per request. Without a measured pace there is no prediction: a request
 * with no backlog ahead waits for one batch at most. Not thread-safe.
 */
#ifndef SCREENING_BASE_BACKLOG_H
#define SCREENING_BASE_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All sums decay: older batches count less and less. */
struct backlog {
    double commands, requests; /* taken; requests are part of commands; also counted without a backlog */
    bool standing;             /* the last batch left requests waiting; */
    int64_t taken_ns;          /* when it was taken; */
    size_t taken;              /* its number of commands */
    double ns, commands_in_ns; /* commands done during a backlog, and the time they took */
};

/* Records that a batch of `commands`, including `requests` requests, was taken at `now_ns`; `left`
 * requests wait. */
void backlog_took(struct backlog *backlog, size_t commands, size_t requests, size_t left, int64_t now_ns);

/*
 * Like backlog_took, for a queue that is served one item at a time: `requests` were served in `ns` while
 * others waited throughout.
 */
void backlog_passed(struct backlog *backlog, size_t requests, int64_t ns);

/* Counterpart of backlog_passed: records that the queue is empty. */
void backlog_ended(struct backlog *backlog);

/* Returns how long a request waits behind `ahead` others until its batch starts; 0 = unknown, or no wait. */
int64_t backlog_wait_ns(const struct backlog *backlog, size_t ahead);

#endif
