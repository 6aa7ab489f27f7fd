#include "rpc/health.h"

#include <string.h>

#include "base/container.h"
#include "rpc/server_state.h"

static bool is_known(const struct rpc_server *server, const char *name)
{
    for (size_t i = 0; i < server->service_count; i++)
        if (strcmp(server->services[i].service->descriptor->name, name) == 0)
            return true;
    return false;
}

static void check(Grpc__Health__V1__Health_Service *service,
                  const Grpc__Health__V1__HealthCheckRequest *request,
                  Grpc__Health__V1__HealthCheckResponse_Closure closure, void *closure_data)
{
    struct rpc_server *server = container_of(service, struct rpc_health, base)->server;
    /* The empty name means the server as a whole. */
    if (request->service[0] != '\0' && !is_known(server, request->service)) {
        struct error error;
        (void)error_set(&error, STATUS_NOT_FOUND, NULL, "no service %s here", request->service);
        rpc_call_fail(closure_data, &error);
        return;
    }
    Grpc__Health__V1__HealthCheckResponse response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    response.status = rpc_server_not_ready(server) == NULL
                          ? GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
                          : GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING;
    closure(&response, closure_data);
}

ProtobufCService *rpc_health_init(struct rpc_health *health, struct rpc_server *server)
{
    health->base = (Grpc__Health__V1__Health_Service){GRPC__HEALTH__V1__HEALTH__BASE_INIT, .check = check};
    health->server = server;
    return &health->base.base;
}
