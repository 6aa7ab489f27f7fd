/*
 * A channel with several backends for the unit tests of this folder: bare REP sockets on which the test
 * chooses every reply. The slots of the backends are their indexes.
 */
#ifndef SCREENING_RPC_GROUP_TESTING_H
#define SCREENING_RPC_GROUP_TESTING_H

#include "rpc/channel_state.h"
#include "rpc/client_testing.h"
#include "rpc/rpc_testing.h"

#include "grpc/health/v1/health.pb-c.h"

enum { GROUP_MAX = 3 };

struct group {
    int count;
    char folder[64];
    char addresses[GROUP_MAX][96];
    char list[320];
    nng_socket sockets[GROUP_MAX];
    struct rpc_channel *channel;
    struct rpc_client *client;
};

/* Opens a channel to `count` backends, and waits until all are connected. */
void group_open(struct group *group, int count, struct rpc_channel_options options);
void group_close(struct group *group);

/* Lets the backend listen, again if its socket was closed. */
void group_listen(struct group *group, int i);

/* Begins a call with this budget. */
void group_begin(struct group *group, struct test_pending *pending, struct rpc_client_call call);

/* Receives the next request at the backend. Returns NULL if none comes within a few ms. */
nng_msg *group_try_receive(struct group *group, int at);

/* Waits for the next request at the backend. */
nng_msg *group_receive_at(struct group *group, int at);

/* Waits for the next request at any backend. Sets *at to the backend, and *timeout_ms (may be NULL). */
nng_msg *group_receive(struct group *group, int *at, uint32_t *timeout_ms);

/* Replies with an error. */
void group_answer(struct group *group, int at, nng_msg *request, enum status status, const char *reason,
                  uint32_t retry_after_ms);

/* Receives the next request, which must arrive at the backend, and answers it with NOT_FOUND. */
void group_serve(struct group *group, int at);

/* Makes `count` calls, which must all arrive at the backend. */
void group_assert_all_go_to(struct group *group, int at, int count);

/* Receives a health check at the backend. */
nng_msg *group_receive_check(struct group *group, int at);

/* Receives a health check at the backend and answers it. */
void group_answer_check(struct group *group, int at,
                        Grpc__Health__V1__HealthCheckResponse__ServingStatus status);

/* Closes the connection on which the request came. */
void group_lose(nng_msg *request);

/* Returns a copy of the marks of the backend. */
struct balance_mark group_mark(struct group *group, int slot);

/* Ejects the backend until the time (monotonic). */
void group_eject(struct group *group, int slot, int64_t until_ns);

#endif
