#include "live.h"

#include "problem.h"

enum status live_open(const struct live_options *options, struct live **out, struct error *error)
{
    (void)options;
    (void)error;
    *out = NULL;
    return STATUS_OK;
}

void live_handle(struct live *live, struct http_request *request)
{
    (void)live;
    problem_respond_http(request, 404, "no such path", NULL);
}

void live_stop(struct live *live)
{
    (void)live;
}

void live_close(struct live *live)
{
    (void)live;
}
