/* Closing an nng socket without the risk of waiting for ever. */
#ifndef SCREENING_RPC_SOCKET_CLOSE_H
#define SCREENING_RPC_SOCKET_CLOSE_H

#include <nng/nng.h>
#include <stdbool.h>

/*
 * nng_close waits until all connections of the socket are gone. In nng 1.5.2 a connection that breaks while a
 * message is coming in on it can block nng's reaper for good (see muted.h), and with it the closing of every
 * socket of the process. True: closed. False after 2 s (100 ms if that has happened before): it is still
 * being closed and will be until the process ends; what its callbacks may touch must stay. Not from nng
 * callbacks.
 */
bool rpc_socket_close(nng_socket socket);

#endif
