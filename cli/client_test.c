/* Tests the client with a fake booking-svc, whose responses each test defines. */
#include "client.h"
#include "pages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/unit_testing.h"
#include "base/uuid.h"
#include "rpc/server.h"

#include "screening/v1/booking.pb-c.h"

enum { PAGES = 3, ATTEMPTS_MAX = 64 };

/*
 * The requests that the fake received, and the responses that it returns. Its methods run on nng's threads.
 * Tests read the fields after a call.
 */
struct fake {
    Screening__V1__BookingService_Service service; /* first member */
    struct rpc_server *server;
    char folder[32];
    char address[64];
    struct error refusal; /* returned to the first `refusals` attempts */
    size_t refusals;
    size_t attempts;
    char ids[ATTEMPTS_MAX][64]; /* booking_id of each attempt */
};

static struct fake fake;
static struct session session;

static void create_booking(Screening__V1__BookingService_Service *service,
                           const Screening__V1__CreateBookingRequest *input,
                           Screening__V1__Booking_Closure closure, void *closure_data)
{
    (void)service;
    snprintf(fake.ids[fake.attempts % ATTEMPTS_MAX], sizeof fake.ids[0], "%s", input->booking_id);
    if (fake.attempts++ < fake.refusals) {
        rpc_call_fail(closure_data, &fake.refusal);
        return;
    }
    Screening__V1__Booking booking = SCREENING__V1__BOOKING__INIT;
    booking.booking_id = input->booking_id;
    closure(&booking, closure_data);
}

/* Answers a request for page N with N bookings, whose customer id is the page token of the request. */
static void list_bookings(Screening__V1__BookingService_Service *service,
                          const Screening__V1__ListBookingsRequest *input,
                          Screening__V1__ListBookingsResponse_Closure closure, void *closure_data)
{
    (void)service;
    Screening__V1__ListBookingsResponse response = SCREENING__V1__LIST_BOOKINGS_RESPONSE__INIT;
    Screening__V1__Booking bookings[PAGES];
    Screening__V1__Booking *pointers[PAGES];
    char next[2] = "";
    size_t page = input->page_token[0] == '\0' ? 1 : (size_t)(input->page_token[0] - '0');
    for (size_t i = 0; i < page; i++) {
        screening__v1__booking__init(&bookings[i]);
        bookings[i].customer_id = input->page_token;
        pointers[i] = &bookings[i];
    }
    next[0] = (char)(page < PAGES ? '0' + page + 1 : 0);
    response.bookings = pointers;
    response.n_bookings = page;
    response.next_page_token = next;
    closure(&response, closure_data);
}

static int set_up(void **state)
{
    (void)state;
    struct error error;
    fake = (struct fake){.service = {.base = SCREENING__V1__BOOKING_SERVICE__BASE_INIT,
                                     .create_booking = create_booking,
                                     .list_bookings = list_bookings},
                         .folder = "/tmp/client_test.XXXXXX"};
    assert_non_null(mkdtemp(fake.folder));
    snprintf(fake.address, sizeof fake.address, "ipc://%s/rpc", fake.folder);
    const struct rpc_server_options options = {.address = fake.address, .program = "fake", .contexts = 16};
    assert_int_equal(rpc_server_open(&options, &fake.server, &error), STATUS_OK);
    rpc_server_add(fake.server, &fake.service.base);
    assert_int_equal(rpc_server_start(fake.server, &error), STATUS_OK);
    rpc_server_serve(fake.server);
    session_init(&session);
    session.addresses[PEER_BOOKING] = fake.address;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    session_fini(&session);
    rpc_server_close(fake.server);
    unlink(fake.address + strlen("ipc://"));
    return rmdir(fake.folder);
}

static enum status create(char *id, const Screening__V1__Booking **booking, struct error *error)
{
    Screening__V1__CreateBookingRequest request = SCREENING__V1__CREATE_BOOKING_REQUEST__INIT;
    request.booking_id = id;
    *booking = client_call(&session, "CreateBooking", &request.base, error);
    return *booking != NULL ? STATUS_OK : error->status;
}

static void test_client_creation_without_id_gets_one(void **state)
{
    (void)state;
    const Screening__V1__Booking *booking;
    struct error error;
    struct uuid id;
    char none[] = "";
    assert_int_equal(create(none, &booking, &error), STATUS_OK);
    assert_true(uuid_parse(booking->booking_id, &id));
    assert_string_equal(fake.ids[0], booking->booking_id);
}

static void test_client_creation_with_id_keeps_it(void **state)
{
    (void)state;
    const Screening__V1__Booking *booking;
    struct error error;
    char id[] = "018f0000-0000-7000-8000-00000000000a";
    assert_int_equal(create(id, &booking, &error), STATUS_OK);
    assert_string_equal(fake.ids[0], id);
}

static void test_client_unavailable_is_asked_again_with_the_same_id(void **state)
{
    (void)state;
    const Screening__V1__Booking *booking;
    struct error error;
    char none[] = "";
    fake.refusals = 2;
    error_set(&fake.refusal, STATUS_UNAVAILABLE, "NOT_READY", "coming");
    fake.refusal.retry_after_ms = 5;
    assert_int_equal(create(none, &booking, &error), STATUS_OK);
    assert_int_equal(fake.attempts, 3);
    assert_string_equal(fake.ids[0], fake.ids[1]);
    assert_string_equal(fake.ids[1], fake.ids[2]);
}

static void test_client_unavailable_throughout_ends_with_the_budget_and_reports_the_id(void **state)
{
    (void)state;
    const Screening__V1__Booking *booking;
    struct error error;
    char none[] = "";
    fake.refusals = ATTEMPTS_MAX;
    error_set(&fake.refusal, STATUS_UNAVAILABLE, NULL, "not now");
    fake.refusal.retry_after_ms = 100;
    session.timeout_ms = 1000;
    /* The budget may also end during the last attempt. In that case the outcome is unknown too. */
    enum status status = create(none, &booking, &error);
    assert_true(status == STATUS_UNAVAILABLE || status == STATUS_DEADLINE_EXCEEDED);
    assert_true(fake.attempts > 1);
    assert_non_null(strstr(error.message, fake.ids[0]));
}

static void test_client_refusal_is_not_asked_again(void **state)
{
    (void)state;
    const Screening__V1__Booking *booking;
    struct error error;
    char none[] = "";
    fake.refusals = ATTEMPTS_MAX;
    error_set(&fake.refusal, STATUS_FAILED_PRECONDITION, "SOLD_OUT", "full");
    assert_int_equal(create(none, &booking, &error), STATUS_FAILED_PRECONDITION);
    assert_string_equal(error.reason, "SOLD_OUT");
    assert_int_equal(fake.attempts, 1);
}

static void test_client_without_a_server_says_how_to_start_it(void **state)
{
    (void)state;
    const Screening__V1__Booking *booking;
    struct error error;
    char none[] = "", address[80];
    snprintf(address, sizeof address, "%s-other", fake.address);
    session.addresses[PEER_BOOKING] = address;
    assert_int_equal(create(none, &booking, &error), STATUS_UNAVAILABLE);
    assert_non_null(strstr(error.message, address));
    assert_non_null(strstr(error.message, "booking-svc --rpc-listen"));
    assert_int_equal(fake.attempts, 0);
}

static void test_pages_ask_joins_all_pages(void **state)
{
    (void)state;
    static const char *const tokens[] = {"", "2", "2", "3", "3", "3"};
    Screening__V1__ListBookingsRequest request = SCREENING__V1__LIST_BOOKINGS_REQUEST__INIT;
    const Screening__V1__ListBookingsResponse *all =
        pages_ask(&session, "ListBookings", "bookings", &request.base);
    assert_non_null(all);
    assert_int_equal(all->n_bookings, sizeof tokens / sizeof tokens[0]);
    for (size_t i = 0; i < all->n_bookings; i++)
        assert_string_equal(all->bookings[i]->customer_id, tokens[i]);
    assert_string_equal(all->next_page_token, "");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_client_creation_without_id_gets_one),
        TEST(test_client_creation_with_id_keeps_it),
        TEST(test_client_unavailable_is_asked_again_with_the_same_id),
        TEST(test_client_unavailable_throughout_ends_with_the_budget_and_reports_the_id),
        TEST(test_client_refusal_is_not_asked_again),
        TEST(test_client_without_a_server_says_how_to_start_it),
        TEST(test_pages_ask_joins_all_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
