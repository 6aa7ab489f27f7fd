/*
 * Serves endpoints for operators and monitoring, over HTTP on a separate port or unix socket, from the very
 * start of the service:
 *
 *     /metrics  all counters, gauges and histograms, Prometheus text 0.0.4
 *     /livez    200 while the process responds
 *     /readyz   200 when the service is ready, otherwise 503 with the reason in the body
 *
 * Any other path gets 404. Only GET and HEAD are allowed. There are at most OPS_CONNECTIONS_MAX connections,
 * of which one address may have OPS_CONNECTIONS_PER_ADDRESS (a unix socket has no addresses); further ones of
 * it are closed at once. A connection is closed unless it completes a request within OPS_REQUEST_S of its
 * accept or its last answer, no matter how many bytes it sends. Any client that reaches the port can read all
 * endpoints. They contain no personal data.
 */
#ifndef SCREENING_SERVICE_OPS_H
#define SCREENING_SERVICE_OPS_H

#include "base/status.h"

enum { OPS_CONNECTIONS_MAX = 64, OPS_CONNECTIONS_PER_ADDRESS = 16, OPS_REQUEST_S = 10 };

struct ops_server;

struct ops_options {
    const char *listen; /* "127.0.0.1:7109", "[::1]:7109", "unix:/run/ops"; empty = none */
    /*
     * Returns NULL if the service is ready. Otherwise returns the reason, one line without a newline, which
     * must stay valid. Called on the server's thread.
     */
    const char *(*not_ready)(void *context);

    /*
     * Sets the metrics that are not updated continuously. Called before each answer to /metrics, on the
     * server's thread.
     */
    void (*refresh)(void *context);
    void *context;
};

/*
 * Binds the address and starts serving. Sets *out to NULL if `listen` is empty. Returns INVALID_ARGUMENT
 * "ops-listen: ..." if the address is malformed or taken. Call this after service_begin, because the server's
 * thread inherits the signal mask.
 */
MUST_CHECK enum status ops_open(const struct ops_options *options, struct ops_server **out,
                                struct error *error);

/* Closes the connections and stops the thread. The callbacks are not called afterwards. NULL is allowed. */
void ops_close(struct ops_server *ops);

#endif
