#include "api.h"

#include "connect.h"
#include "live.h"
#include "problem.h"
#include "rest.h"

#include <string.h>

static bool begins_with(const char *path, const char *prefix)
{
    return strncmp(path, prefix, strlen(prefix)) == 0;
}

void api_handle(void *context, struct http_request *request)
{
    struct gateway *gateway = context;
    const char *path = http_path(request);
    if (begins_with(path, "/screening.v1."))
        connect_handle(gateway, request);
    else if (strcmp(path, "/events") == 0)
        live_handle(gateway->live, request);
    else
        rest_handle(gateway, request);
}

void api_refuse(void *context, struct http_request *request, unsigned code, const char *why)
{
    (void)context;
    problem_respond_http(request, code, why, NULL);
}
