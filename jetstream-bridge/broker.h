/* Connections to NATS. */
#ifndef SCREENING_JETSTREAM_BRIDGE_BROKER_H
#define SCREENING_JETSTREAM_BRIDGE_BROKER_H

#include <nats/nats.h>
#include <stdbool.h>

#include "base/status.h"

/* Empty texts are not used. The strings must outlive the connections. */
struct broker_options {
    const char *url;         /* nats://HOST:PORT or tls://HOST:PORT, separated by commas */
    const char *token;       /* path of a file with a token */
    const char *credentials; /* path of a .creds file: a user's JWT and seed */
    const char *ca; /* path of the authorities of the servers' certificates; empty = those of the system */
    const char *certificate; /* path of the bridge's own certificate, with `key` */
    const char *key;
    bool insecure; /* whether nats:// may lead to another machine */
};

/*
 * Checks the options, and reads the files of secrets once. Returns INVALID_ARGUMENT, which names the flag and
 * the part of the URL, but nothing secret.
 */
MUST_CHECK enum status broker_check(const struct broker_options *options, struct error *error);

/*
 * Connects to one of the servers, within 2 s for each. Reads all files again. The connection does not
 * reconnect, so that nothing that was sent before a failure arrives after what is sent next. Returns
 * UNAVAILABLE, or the status of a file that cannot be read. The caller destroys *out.
 */
MUST_CHECK enum status broker_connect(const struct broker_options *options, natsConnection **out,
                                      struct error *error);

/* Sets `error` to UNAVAILABLE with the text of a status of libnats and what it was about. Returns
 * UNAVAILABLE. */
enum status broker_failed(natsStatus status, const char *what, struct error *error);

#endif
