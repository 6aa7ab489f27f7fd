/*
 * Private to the fuzzers of the HTTP server: one client's socket that exists in memory only. The linker
 * replaces the server's system calls by functions of played_socket_testing.c (CMakeLists.txt lists them). The
 * server has one thread. It runs only while one of these functions waits for it, and a function returns once
 * the server waits for events. The functions abort if the server does something that no server may do, such
 * as closing the socket twice or never waiting.
 */
#ifndef SCREENING_GATEWAY_SVC_PLAYED_SOCKET_TESTING_H
#define SCREENING_GATEWAY_SVC_PLAYED_SOCKET_TESTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct played_client {
    size_t piece; /* the most bytes that the server receives at once; 0 = no limit */
    size_t room;  /* the bytes that the server may send before the client reads; 0 = no limit */
    bool stalls;  /* the client does not read more than `room` */
    /* Called with what the server sends. Must not call a function of this file. */
    void (*receive)(void *context, const uint8_t *bytes, size_t size);
    void *context;
};

/* Waits until the server, which was just opened, waits for events. */
void played_socket_begin(void);

/* Connects a client. `client` must stay valid until played_disconnect. */
void played_connect(const struct played_client *client);

/* Sends bytes to the server, unless it has closed the connection. */
void played_send(const uint8_t *bytes, size_t size);

/* Lets the server do what other threads have posted to it. */
void played_settle(void);

/* Puts the clock forward. */
void played_pass_time(uint32_t ms);

/* Returns whether the server has closed the connection. */
bool played_is_closed(void);

/* Closes the client's side; with `reset`, by a reset. The server must then close its own. */
void played_disconnect(bool reset);

#endif
