/*
 * A dialer that never gives up.
 *
 * nng's own dialer connects again and again, but ends without a word when its peer closes a connection before
 * the handshake has been written: the write fails with EPIPE, nng calls that NNG_ECLOSED, and takes it for a
 * close of its own (dialer_connect_cb of 1.5.2). A peer that is killed at that moment would
 * never be reached again. So a dialer that is long without a connection is made anew.
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
