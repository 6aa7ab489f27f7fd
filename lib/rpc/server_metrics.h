/* The server's counters, of all servers of the process together. Any thread. */
#ifndef SCREENING_RPC_SERVER_METRICS_H
#define SCREENING_RPC_SERVER_METRICS_H

/* Makes them visible; again: nothing. */
void rpc_server_metrics_register(void);

void rpc_server_metrics_received(void);

/* A call was answered; with what, method_metrics.h counts. */
void rpc_server_metrics_answered(void);

/* The server answered for a handler whose time was up. */
void rpc_server_metrics_expired(void);

/* A handler's answer came after that. */
void rpc_server_metrics_dropped(void);

/* An answer was dropped because its client did not take it in time. */
void rpc_server_metrics_not_taken(void);

/* Another slot was opened or, -1, closed. */
void rpc_server_metrics_slots(int delta);

/* A connection came or, -1, is gone for good. */
void rpc_server_metrics_connections(int delta);

#endif
