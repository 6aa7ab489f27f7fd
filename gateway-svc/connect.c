#include "connect.h"

#include "problem.h"

void connect_handle(struct gateway *gateway, struct http_request *request)
{
    (void)gateway;
    problem_respond_http(request, 404, "no such path", NULL);
}
