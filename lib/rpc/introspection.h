/* Implements rpc.v1.Introspection for a server: its services, its state, and the current metrics. */
#ifndef SCREENING_RPC_INTROSPECTION_H
#define SCREENING_RPC_INTROSPECTION_H

#include "rpc/v1/introspection.pb-c.h"

struct rpc_server;

struct rpc_introspection {
    Rpc__V1__Introspection_Service base;
    struct rpc_server *server;
};

/* Initialises and returns the service, which the caller adds to the server. */
ProtobufCService *rpc_introspection_init(struct rpc_introspection *introspection, struct rpc_server *server);

#endif
