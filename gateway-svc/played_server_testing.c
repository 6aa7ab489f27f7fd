#include "played_server_testing.h"

#include "http2_internal.h"
#include "played_backend_testing.h"
#include "played_socket_testing.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"

static struct http_server *server;

void played_server_open(void)
{
    static char listen[64];
    snprintf(listen, sizeof listen, "unix:/tmp/screening-fuzz.%d", (int)getpid());
    const struct http_options options = {
        .listen = listen,
        .connections_max = 4,
        .threads = 1,
        .request_timeout_ms = 10000,
        .idle_timeout_ms = 60000,
        .body_max = api_body_max,
        .handle = api_handle,
        .refuse = api_refuse,
        .context = played_gateway(),
    };
    struct error error;
    enum status status = http_open(&options, &server, &error);
    CHECK(status == STATUS_OK);
    (void)unlink(listen + strlen("unix:")); /* nothing connects to it */
    played_socket_begin();
}

void played_server_check_idle(void)
{
    CHECK(played_backend_open() == 0);
    CHECK(atomic_load(&server->connection_count) == 0 && atomic_load(&server->in_flight) == 0);
    for (int part = 0; part < HTTP2_PARTS; part++)
        CHECK(atomic_load(&server->held[part].all) == 0);
}
