/*
 * What the unit tests of this folder share: cmocka, a server with a BookingService whose answers a test
 * chooses by the booking_id that it asks for, and raw clients for what no channel would send.
 */
#ifndef SCREENING_RPC_TEST_SUPPORT_H
#define SCREENING_RPC_TEST_SUPPORT_H

// clang-format off
/* cmocka.h wants these before it. */
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

/* Waits until the condition holds, at most TEST_PATIENCE_MS; then the test fails. */
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
    Screening__V1__BookingService_Service service; /* first */
    char folder[64];
    char address[96];
    struct rpc_server *server;
    pthread_mutex_t mutex;                /* guards what follows */
    struct rpc_call *held[TEST_HELD_MAX]; /* calls of GetBooking "hold" */
    size_t held_count;
    size_t invoked; /* method calls so far */
};

/*
 * GetBooking{booking_id}: "hold" keeps the call in `held`; "sold-out" fails with FAILED_PRECONDITION SOLD_OUT
 * and retry_after_ms 7; "broken" fails with INTERNAL; "huge" answers more than a message holds; "trace"
 * answers the traceparent as customer_name and the request id as status_reason, the metadata "authorization"
 * as date, the source as customer_id in 16 hexadecimal digits; any other id is answered with itself.
 * CreateBooking answers a booking with the request's fields.
 */
void test_server_init(struct test_server *server);

/* Opens it at an ipc address of its own, or at tcp, and starts it; `options` may be NULL. It does not serve
 * yet. */
void test_server_start(struct test_server *server, const struct rpc_server_options *options, bool tcp);

/* The same, and serves. */
void test_server_serve(struct test_server *server);

/* Answers all held calls and closes. */
void test_server_stop(struct test_server *server);

size_t test_server_held(struct test_server *server);
size_t test_server_invoked(struct test_server *server);

/* Replies to (or fails, if it is too late for that) every held call. */
void test_server_release(struct test_server *server);

/* A TCP port that nobody listens at. */
int test_free_port(void);

/* A REQ socket connected to the address, that waits 5 s for an answer. */
nng_socket test_dial(const char *address);

/* Sends these bytes as a request and returns the unpacked response; the caller frees it. */
Rpc__V1__Response *test_ask_bytes(nng_socket socket, const void *bytes, size_t size);

/* The same for an envelope. */
Rpc__V1__Response *test_ask(nng_socket socket, const char *method, const void *payload, size_t size,
                            uint32_t timeout_ms);

/* GetBooking of this id; the caller frees the response. */
Rpc__V1__Response *test_get(nng_socket socket, const char *booking_id, uint32_t timeout_ms);

/* Checks the response and frees it. */
void test_assert_answer(Rpc__V1__Response *response, enum status code, const char *message);

/* Checks what Health answers about `service`: TEST_SERVING or TEST_NOT_SERVING. */
void test_assert_health(nng_socket socket, const char *service, int expected);

/* The value of a metric of this process, the sum of those that differ in their labels; 0 if there is none of
 * that name. */
int64_t test_metric(const char *name);

#endif
