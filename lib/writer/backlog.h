/*
 * How long a request that comes now will wait, judged by how fast requests were taken lately while others
 * stayed behind. Without such a time nothing is known, and nothing is predicted: whoever waits behind nobody
 * waits for one batch at most. Not for several threads at once.
 */
#ifndef SCREENING_WRITER_BACKLOG_H
#define SCREENING_WRITER_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct backlog {
    bool standing;       /* requests stayed behind when the last batch was taken, */
    int64_t taken_ns;    /* then, */
    size_t taken;        /* with so many requests in it */
    double ns, requests; /* in so long so many were taken; old times weigh less and less */
};

/* A batch with `taken` requests was taken at `now_ns`, and `left` stayed behind. */
void backlog_took(struct backlog *backlog, size_t taken, size_t left, int64_t now_ns);

/* How long a request will wait behind `waiting` others until its batch begins; 0 = not known, or not at all.
 */
int64_t backlog_wait_ns(const struct backlog *backlog, size_t waiting);

#endif
