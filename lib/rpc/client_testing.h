/* Channels, clients and calls for the unit tests of this folder. */
#ifndef SCREENING_RPC_CLIENT_TESTING_H
#define SCREENING_RPC_CLIENT_TESTING_H

#include <stdbool.h>

#include "rpc/channel.h"

#include "screening/v1/booking.pb-c.h"

struct rpc_channel *test_open_channel(const char *address);
struct rpc_client *test_create_client(struct rpc_channel *channel);

/*
 * Calls GetBooking and waits for the reply. On success, copies the response's booking id to `answer`. Returns
 * the status of the call.
 */
enum status test_get_and_wait(struct rpc_client *client, const char *booking_id, struct rpc_client_call *call,
                              char answer[64]);

/* Makes one call and checks that the response holds the requested booking id. */
void test_assert_works(struct rpc_client *client);

/* A call started through a generated stub. */
struct test_pending {
    struct rpc_client_call call; /* must be first */
    char booking_id[64];         /* the booking id of the response */
    _Atomic int answers;
};

void test_begin_get(struct rpc_client *client, const char *booking_id, struct test_pending *pending);

/* Waits for the reply. Checks that the call has ended exactly once, with this status and this `left`. */
void test_assert_outcome(struct test_pending *pending, enum status status, bool left);

#endif
