/*
 * How long a request that comes now will wait, judged by how fast batches went lately while requests stayed
 * behind, and by how many other commands went before each request. Without such a time nothing is known, and
 * nothing is predicted: whoever waits behind nobody waits for one batch at most. Not for several threads at
 * once.
 */
#ifndef SCREENING_BASE_BACKLOG_H
#define SCREENING_BASE_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of all sums the older parts weigh less and less. */
struct backlog {
    double commands, requests; /* taken, the requests among them; also without a backlog */
    bool standing;             /* requests stayed behind when the last batch was taken, */
    int64_t taken_ns;          /* then, */
    size_t taken;              /* with so many commands in it */
    double ns, commands_in_ns; /* while it stood: in so long so many commands were done */
};

/* A batch of `commands`, `requests` of them requests, was taken at `now_ns`, and `left` requests stayed
 * behind. */
void backlog_took(struct backlog *backlog, size_t commands, size_t requests, size_t left, int64_t now_ns);

/* The same for a queue that is served one by one: `requests` went within `ns` while others waited all the
 * time; */
void backlog_passed(struct backlog *backlog, size_t requests, int64_t ns);

/* and when nobody waits any more. */
void backlog_ended(struct backlog *backlog);

/* How long a request will wait behind `ahead` others until its batch begins; 0 = not known, or not at all. */
int64_t backlog_wait_ns(const struct backlog *backlog, size_t ahead);

#endif
