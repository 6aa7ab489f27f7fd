/*
 * Finds out which kind of program listens at an address before a channel is opened to it, to report a wrong
 * port immediately.
 */
#ifndef SCREENING_CLI_PROBE_H
#define SCREENING_CLI_PROBE_H

#include <stdint.h>

enum probe_result {
    PROBE_NOBODY, /* nothing listens */
    PROBE_CALLS,  /* an RPC server: REP of nng */
    PROBE_EVENTS, /* an event publisher: PUB of nng */
    PROBE_OTHER,  /* a program that does not speak nng's protocols */
    PROBE_SILENT  /* no greeting in time, from a stopped process or another program */
};

/* Connects to "tcp://HOST:PORT" or "ipc://PATH" and sends nng's greeting. Waits at most `timeout_ms`. */
enum probe_result probe(const char *address, uint32_t timeout_ms);

/*
 * Requests `path` from HOST:PORT over HTTP. Returns the status code, 0 if nothing listens, or -1 if no valid
 * HTTP response arrives in time. Writes the beginning of the body to `body`.
 */
int probe_http(const char *host_port, const char *path, uint32_t timeout_ms, char *body, unsigned body_size);

#endif
