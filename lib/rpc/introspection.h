/* rpc.v1.Introspection over a server: what it serves, and its counters as they are now. */
#ifndef SCREENING_RPC_INTROSPECTION_H
#define SCREENING_RPC_INTROSPECTION_H

#include "rpc/v1/introspection.pb-c.h"

struct rpc_server;

struct rpc_introspection {
    Rpc__V1__Introspection_Service base; /* first: what the generated code calls us with */
    struct rpc_server *server;
};

/* Returns the service to be added. */
ProtobufCService *rpc_introspection_init(struct rpc_introspection *introspection, struct rpc_server *server);

#endif
