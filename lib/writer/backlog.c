#include "writer/backlog.h"

/* How much what was known before a batch still weighs after it: half of it is forgotten after seven. */
static const double REMEMBERED = 0.9;

void backlog_took(struct backlog *backlog, size_t commands, size_t requests, size_t left, int64_t now_ns)
{
    backlog->commands = backlog->commands * REMEMBERED + (double)commands;
    backlog->requests = backlog->requests * REMEMBERED + (double)requests;
    if (left == 0) {
        backlog->standing = false;
        backlog->ns = backlog->commands_in_ns = 0; /* the next backlog may have another reason */
        return;
    }
    if (backlog->standing) {
        backlog->ns = backlog->ns * REMEMBERED + (double)(now_ns - backlog->taken_ns);
        backlog->commands_in_ns = backlog->commands_in_ns * REMEMBERED + (double)backlog->taken;
    }
    backlog->standing = true;
    backlog->taken_ns = now_ns;
    backlog->taken = commands;
}

int64_t backlog_wait_ns(const struct backlog *backlog, size_t ahead)
{
    if (!(backlog->commands_in_ns > 0))
        return 0;
    /* If none of them was a request, one would have been a lot. */
    double requests = backlog->requests > 1 ? backlog->requests : 1;
    return (int64_t)((double)ahead * backlog->commands / requests * backlog->ns / backlog->commands_in_ns);
}
