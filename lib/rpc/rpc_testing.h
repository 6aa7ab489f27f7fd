/*
 * Helpers for the unit tests of this folder: cmocka, a server, and raw clients for messages that no channel
 * would send. The server has a BookingService; a test selects the reply by the booking_id of its request.
 */
#ifndef SCREENING_RPC_RPC_TESTING_H
#define SCREENING_RPC_RPC_TESTING_H

// clang-format off
/* cmocka.h requires that these headers come first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <nng/nng.h>
#include <nng/supplemental/util/platform.h>
#include <pthread.h>
#include <stdbool.h>

#include "rpc/server.h"

#include "rpc/v1/envelope.pb-c.h"
#include "screening/v1/booking.pb-c.h"

enum { TEST_SERVING = 1, TEST_NOT_SERVING = 2 };

#define TEST_BOOKING_SERVICE "screening.v1.BookingService"
#define TEST_GET_BOOKING     TEST_BOOKING_SERVICE "/GetBooking"

enum { TEST_PATIENCE_MS = 20000, TEST_HELD_MAX = 64 };

/* Waits until the condition holds. Fails the test after TEST_PATIENCE_MS. */
#define assert_soon(condition)                                                                               \
    do {                                                                                                     \
        int64_t patience_until_ = test_now_ms() + TEST_PATIENCE_MS;                                          \
        while (!(condition) && test_now_ms() < patience_until_) {                                            \
            nng_msleep(1);                                                                                   \
        }                                                                                                    \
        assert_true(condition);                                                                              \
    } while (0)

int64_t test_now_ms(void);

struct test_server {
    Screening__V1__BookingService_Service service; /* must be first */
    char folder[64];
    char address[96];
    struct rpc_server *server;
    pthread_mutex_t mutex;                /* guards the fields below */
    struct rpc_call *held[TEST_HELD_MAX]; /* calls to GetBooking with the id "hold" */
    size_t held_count;
    size_t invoked; /* number of method calls so far */
};

/*
 * Initialises the server. The id in GetBooking selects the reply. "hold" keeps the call in `held`. "sold-out"
 * fails with FAILED_PRECONDITION SOLD_OUT and retry_after_ms 7. "broken" fails with INTERNAL. "huge" returns
 * more than a message may hold. "trace" returns the traceparent as customer_name, the request id as
 * status_reason, the metadata "authorization" as date, and the source as customer_id in 16 hexadecimal
 * digits. For any other id the response holds that id. CreateBooking returns a booking with the request's
 * fields.
 */
void test_server_init(struct test_server *server);

/*
 * Opens the server at an ipc address in its own folder, or at a TCP address if `tcp` is set, and starts it.
 * Does not call rpc_server_serve. `options` may be NULL.
 */
void test_server_start(struct test_server *server, const struct rpc_server_options *options, bool tcp);

/* Initialises the server, starts it on ipc with default options, and calls rpc_server_serve. */
void test_server_serve(struct test_server *server);

/* Replies to all held calls and closes the server. */
void test_server_stop(struct test_server *server);

size_t test_server_held(struct test_server *server);
size_t test_server_invoked(struct test_server *server);

/* Replies to every held call. The server drops a reply that comes too late. */
void test_server_release(struct test_server *server);

/* Returns a TCP port on which no process listens. */
int test_free_port(void);

/* Returns a REQ socket connected to the address, with a receive timeout of 5 s. */
nng_socket test_dial(const char *address);

/* Sends the bytes as a request and returns the unpacked response, which the caller frees. */
Rpc__V1__Response *test_ask_bytes(nng_socket socket, const void *bytes, size_t size);

/* Like test_ask_bytes, for an envelope with these fields. */
Rpc__V1__Response *test_ask(nng_socket socket, const char *method, const void *payload, size_t size,
                            uint32_t timeout_ms);

/* Calls GetBooking with this id. The caller frees the response. */
Rpc__V1__Response *test_get(nng_socket socket, const char *booking_id, uint32_t timeout_ms);

/* Checks the code and message of the response, then frees it. */
void test_assert_answer(Rpc__V1__Response *response, enum status code, const char *message);

/* Checks the status that Health reports for `service`: TEST_SERVING or TEST_NOT_SERVING. */
void test_assert_health(nng_socket socket, const char *service, int expected);

/* Returns the value of a metric of this process, summed over its labels, or 0 if there is no such metric. */
int64_t test_metric(const char *name);

#endif
