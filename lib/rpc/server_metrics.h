/* Metrics of all RPC servers in the process, added up. Any thread. */
#ifndef SCREENING_RPC_SERVER_METRICS_H
#define SCREENING_RPC_SERVER_METRICS_H

/* Registers the metrics. Idempotent. */
void rpc_server_metrics_register(void);

void rpc_server_metrics_received(void);

/* Counts a call as answered; method_metrics.h counts the status codes. */
void rpc_server_metrics_answered(void);

/* The server replied for a handler that exceeded the call's budget. */
void rpc_server_metrics_expired(void);

/* A handler's reply came after that and was dropped. */
void rpc_server_metrics_dropped(void);

/* A reply was dropped because its client did not take it in time. */
void rpc_server_metrics_not_taken(void);

/* A slot was opened (1) or closed (-1). */
void rpc_server_metrics_slots(int delta);

/* A connection was added (1) or removed (-1). */
void rpc_server_metrics_connections(int delta);

#endif
