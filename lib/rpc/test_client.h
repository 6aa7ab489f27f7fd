/* Channels, clients and calls for the unit tests of this folder. */
#ifndef SCREENING_RPC_TEST_CLIENT_H
#define SCREENING_RPC_TEST_CLIENT_H

#include <stdbool.h>

#include "rpc/channel.h"

#include "screening/v1/booking.pb-c.h"

struct rpc_channel *test_open_channel(const char *address);
struct rpc_client *test_create_client(struct rpc_channel *channel);

/* GetBooking, waiting for it; the id of the answer is written to `answer`, if there is one. */
enum status test_get_and_wait(struct rpc_client *client, const char *booking_id, struct rpc_client_call *call,
                              char answer[64]);

/* A call that is answered with what it asked for. */
void test_assert_works(struct rpc_client *client);

/* A call that a stub began. */
struct test_pending {
    struct rpc_client_call call; /* first */
    char booking_id[64];         /* of the answer */
    _Atomic int answers;
};

void test_begin_get(struct rpc_client *client, const char *booking_id, struct test_pending *pending);

/* Waits for its answer: exactly one, with this status. */
void test_assert_outcome(struct test_pending *pending, enum status status, bool left);

#endif
