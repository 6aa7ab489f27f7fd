#include "base/backlog.h"

#include "base/check.h"

/*
 * Each new batch multiplies the weight of all older batches by this factor. After seven batches, a weight has
 * roughly halved.
 */
static const double REMEMBERED = 0.9;

/* Records that `commands` commands took `ns` nanoseconds. */
static void note_pace(struct backlog *backlog, size_t commands, int64_t ns)
{
    backlog->ns = backlog->ns * REMEMBERED + (double)ns;
    backlog->commands_in_ns = backlog->commands_in_ns * REMEMBERED + (double)commands;
}

void backlog_took(struct backlog *backlog, size_t commands, size_t requests, size_t left, int64_t now_ns)
{
    CHECK(requests <= commands);
    backlog->commands = backlog->commands * REMEMBERED + (double)commands;
    backlog->requests = backlog->requests * REMEMBERED + (double)requests;
    if (left == 0) {
        backlog_ended(backlog);
        return;
    }
    if (backlog->standing)
        note_pace(backlog, backlog->taken, now_ns - backlog->taken_ns);
    backlog->standing = true;
    backlog->taken_ns = now_ns;
    backlog->taken = commands;
}

void backlog_passed(struct backlog *backlog, size_t requests, int64_t ns)
{
    CHECK(ns > 0);
    backlog->commands = backlog->requests = (double)requests;
    note_pace(backlog, requests, ns);
}

void backlog_ended(struct backlog *backlog)
{
    backlog->standing = false;
    backlog->ns = backlog->commands_in_ns = 0; /* the next backlog may have a different cause */
}

int64_t backlog_wait_ns(const struct backlog *backlog, size_t ahead)
{
    if (!(backlog->commands_in_ns > 0))
        return 0;
    /* Assume at least one request, because the decayed number may be close to zero. */
    double requests = backlog->requests > 1 ? backlog->requests : 1;
    return (int64_t)((double)ahead * backlog->commands / requests * backlog->ns / backlog->commands_in_ns);
}
