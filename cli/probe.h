/*
 * Finds out which kind of program listens at an address before a channel is opened to it, so that screenctl
 * reports a wrong port immediately.
 */
#ifndef SCREENING_CLI_PROBE_H
#define SCREENING_CLI_PROBE_H

#include <stdint.h>

enum probe_result {
    PROBE_NOBODY, /* nothing listens */
    PROBE_CALLS,  /* an RPC server: REP of nng */
    PROBE_EVENTS, /* an event publisher: PUB of nng */
    PROBE_OTHER,  /* any other answer, or the connection was closed without a complete greeting */
    PROBE_SILENT  /* no answer in time, or the connection failed in another way */
};

/*
 * Connects to "tcp://HOST:PORT" or "ipc://PATH", sends nng's greeting, and returns what kind of program
 * answers. Waits at most `timeout_ms`, apart from resolving HOST.
 */
enum probe_result probe(const char *address, uint32_t timeout_ms);

/*
 * Requests `path` from HOST:PORT over HTTP. Returns the status code, 0 if no program listens, or -1 if no
 * valid HTTP response arrives in time. Writes the beginning of the body to `body`.
 */
int probe_http(const char *host_port, const char *path, uint32_t timeout_ms, char *body, unsigned body_size);

#endif
