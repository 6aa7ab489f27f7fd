/*
 * A dialer that never gives up.
 *
 * nng's own dialer connects again and again, but can end without a word: when its peer closes a connection
 * before the handshake has been written, and the write fails with EPIPE, nng 1.5.2 takes that for a close of
 * its own (dialer_connect_cb). closed_peer.c spares it that; but in a round of faults both subscribers of a
 * service that was killed behind a proxy were seen without a connection for a minute all the same, and we do
 * not know why. So a dialer that is long without a connection is made anew.
 */
#ifndef SCREENING_RPC_REDIAL_H
#define SCREENING_RPC_REDIAL_H

#include <nng/nng.h>
#include <stdbool.h>
#include <stdint.h>

/* Longer than any pause between two of nng's own attempts. */
enum { RPC_REDIAL_AFTER_MS = 2000 };

struct rpc_redial {
    nng_socket socket;
    const char *address; /* must outlive this */
    nng_dialer dialer;
    int64_t alone_ns; /* since when looks have seen no connection; 0 = the last one saw one */
};

/* Dials; `flags` as of nng_dialer_start. Returns nng's own code, or 0. */
int rpc_redial_start(struct rpc_redial *redial, nng_socket socket, const char *address, int flags);

/* To be called about every second while there is no connection, by one thread that is none of nng's. */
void rpc_redial_look(struct rpc_redial *redial, bool connected);

#endif
