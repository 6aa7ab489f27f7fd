/*
 * What operators and their machines look at, over HTTP on a port of its own, from the first moment on:
 *
 *     /metrics  all counters, gauges and histograms, Prometheus text 0.0.4
 *     /livez    200 while the process answers
 *     /readyz   200 when the service is ready, else 503; the body tells why
 *
 * Anything else is 404; only GET and HEAD are allowed. At most OPS_CONNECTIONS_MAX connections, each ended
 * after OPS_IDLE_S of silence. All of it is open to whoever reaches the port: it tells nothing about people.
 */
#ifndef SCREENING_SERVICE_OPS_H
#define SCREENING_SERVICE_OPS_H

#include "base/status.h"

enum { OPS_CONNECTIONS_MAX = 64, OPS_IDLE_S = 10 };

struct ops_server;

struct ops_options {
    const char *listen; /* "127.0.0.1:7109", "[::1]:7109"; empty = none */

    /* NULL if the service is ready, else why it is not, a line that stays, without a newline. Called on the
     * server's thread. */
    const char *(*not_ready)(void *context);

    /* Before each /metrics, on the server's thread: sets what is not counted as it happens. */
    void (*refresh)(void *context);
    void *context;
};

/*
 * Binds the address and begins to answer; *out is NULL if `listen` is empty. INVALID_ARGUMENT "ops-listen:
 * ..." if it is malformed or taken. After service_begin: its thread inherits the signal mask.
 */
MUST_CHECK enum status ops_open(const struct ops_options *options, struct ops_server **out,
                                struct error *error);

/* Ends the connections and the thread: from here on the context is not asked. NULL is allowed. */
void ops_close(struct ops_server *ops);

#endif
