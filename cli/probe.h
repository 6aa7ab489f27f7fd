/* Who listens at an address, before a channel is opened there: so that a wrong port is named at once. */
#ifndef SCREENING_CLI_PROBE_H
#define SCREENING_CLI_PROBE_H

#include <stdint.h>

enum probe_result {
    PROBE_NOBODY, /* nothing listens */
    PROBE_CALLS,  /* a server of calls: REP of nng */
    PROBE_EVENTS, /* a publisher of events: PUB of nng */
    PROBE_OTHER,  /* something that does not speak nng's protocols */
    PROBE_SILENT  /* connected, and said nothing in time: a process that stands, or not ours */
};

/* Connects to "tcp://HOST:PORT" or "ipc://PATH" and greets as nng does; waits `timeout_ms` at most. */
enum probe_result probe(const char *address, uint32_t timeout_ms);

/*
 * Asks HOST:PORT for `path` over HTTP. Returns the status code, 0 if nothing listens there, -1 if there was
 * no answer in time or none of HTTP. `body` gets the beginning of the answer's body.
 */
int probe_http(const char *host_port, const char *path, uint32_t timeout_ms, char *body, unsigned body_size);

#endif
