#include "writer/backlog.h"

/* How much what was known before a batch still weighs after it: it is half forgotten after five. */
static const double REMEMBERED = 0.875;

void backlog_took(struct backlog *backlog, size_t taken, size_t left, int64_t now_ns)
{
    if (left == 0) {
        *backlog = (struct backlog){.standing = false}; /* the next backlog may have another reason */
        return;
    }
    if (backlog->standing) {
        backlog->ns = backlog->ns * REMEMBERED + (double)(now_ns - backlog->taken_ns);
        backlog->requests = backlog->requests * REMEMBERED + (double)backlog->taken;
    }
    backlog->standing = true;
    backlog->taken_ns = now_ns;
    backlog->taken = taken;
}

int64_t backlog_wait_ns(const struct backlog *backlog, size_t waiting)
{
    /* When nobody was taken in all that time, one request would have been a lot. */
    double requests = backlog->requests > 1 ? backlog->requests : 1;
    return (int64_t)(backlog->ns * (double)waiting / requests);
}
