/* Closes an nng socket without the risk of blocking forever. */
#ifndef SCREENING_RPC_SOCKET_CLOSE_H
#define SCREENING_RPC_SOCKET_CLOSE_H

#include <nng/nng.h>
#include <stdbool.h>

/*
 * nng_close waits until all connections of the socket have been freed. In nng 1.5.2 a connection that breaks
 * while a message is arriving on it can block nng's reaper thread for good (see muted.h), and so block the
 * closing of every socket in the process.
 *
 * Returns true if the socket is closed. Returns false after 2 s (100 ms if an earlier close has hung): the
 * close goes on until the process exits, and whatever the socket's callbacks may touch must stay in memory.
 * Do not call from an nng callback.
 */
bool rpc_socket_close(nng_socket socket);

#endif
