/* Implements grpc.health.v1.Health for a server: SERVING while the server is ready and not draining. */
#ifndef SCREENING_RPC_HEALTH_H
#define SCREENING_RPC_HEALTH_H

#include "grpc/health/v1/health.pb-c.h"

struct rpc_server;

struct rpc_health {
    Grpc__Health__V1__Health_Service base;
    struct rpc_server *server;
};

/* Initialises and returns the service, which the caller adds to the server. */
ProtobufCService *rpc_health_init(struct rpc_health *health, struct rpc_server *server);

#endif
