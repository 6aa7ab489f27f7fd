/* Tests which requests repeat a booking, for bookings with and without a digest. */
#include "content.h"

#include <string.h>

#include "base/digest.h"
#include "base/unit_testing.h"

static char id[] = "01000000-0000-0000-0000-000000000000",
            other_id[] = "02000000-0000-0000-0000-000000000000";
static char customer[] = "c-1", other_customer[] = "c-2";
static char name[] = "김하늘", name_as_sent[] = " 김하늘 ", other_name[] = "김하늘x";
static char date[] = "2026-12-01", other_date[] = "2026-12-02";
static uint8_t unknown_bytes[] = "x", other_bytes[] = "y";

/* A request as it was sent and as it was parsed. */
struct request {
    Screening__V1__CreateBookingRequest sent;
    ProtobufCMessageUnknownField unknown;
    struct booking parsed;
};

static void make_request(struct request *request)
{
    *request = (struct request){.sent = SCREENING__V1__CREATE_BOOKING_REQUEST__INIT};
    request->sent.booking_id = id;
    request->sent.customer_id = customer;
    request->sent.customer_name = name;
    request->sent.hospital_id = id;
    request->sent.date = date;
    request->sent.headcount = 1;
    request->parsed = (struct booking){
        .booking_id = {{1}},
        .hospital_id = {{1}},
        .customer_id = customer,
        .customer_name = name,
        .day = 20423,
        .headcount = 1,
    };
}

static void change_nothing(struct request *request)
{
    (void)request;
}

static void change_customer(struct request *request)
{
    request->parsed.customer_id = request->sent.customer_id = other_customer;
}

static void change_name(struct request *request)
{
    request->parsed.customer_name = request->sent.customer_name = other_name;
}

static void change_spelling_of_name(struct request *request)
{
    request->sent.customer_name = name_as_sent;
}

static void change_hospital(struct request *request)
{
    request->sent.hospital_id = other_id;
    request->parsed.hospital_id.bytes[0] = 2;
}

static void change_date(struct request *request)
{
    request->sent.date = other_date;
    request->parsed.day++;
}

static void change_headcount(struct request *request)
{
    request->parsed.headcount = request->sent.headcount = 2;
}

static void omit_headcount(struct request *request)
{
    request->sent.headcount = 0; /* counts as 1 */
}

static void change_queueing(struct request *request)
{
    request->sent.queue_if_unavailable = true;
    request->parsed.queue_if_unavailable = true;
}

static void add_unknown_field(struct request *request)
{
    request->unknown = (ProtobufCMessageUnknownField){99, PROTOBUF_C_WIRE_TYPE_VARINT, 1, unknown_bytes};
    request->sent.base.unknown_fields = &request->unknown;
    request->sent.base.n_unknown_fields = 1;
}

static void add_other_unknown_field(struct request *request)
{
    add_unknown_field(request);
    request->unknown.data = other_bytes;
}

struct change {
    void (*apply)(struct request *request);
    bool same; /* whether the request is still a repetition */
};

static const struct change CHANGES[] = {
    {change_nothing, true},
    {change_spelling_of_name, true},
    {omit_headcount, true},
    {change_customer, false},
    {change_name, false},
    {change_hospital, false},
    {change_date, false},
    {change_headcount, false},
    {change_queueing, false},
    {add_unknown_field, false},
    {add_other_unknown_field, false},
};
enum { CHANGE_COUNT = sizeof CHANGES / sizeof CHANGES[0] };

/* Makes the booking of a request, as this version does. */
static struct booking make_booking(struct request *request, struct arena *arena)
{
    assert_true(content_keep(&request->sent, arena, &request->parsed));
    return request->parsed;
}

/* Makes the booking of a request as earlier versions did, with the digest of the packed request. */
static struct booking make_old_booking(const struct request *request)
{
    struct booking booking = request->parsed;
    uint8_t packed[256];
    const size_t size = protobuf_c_message_get_packed_size(&request->sent.base);
    assert_true(size <= sizeof packed);
    protobuf_c_message_pack(&request->sent.base, packed);
    digest_sha256_128(packed, size, booking.first_content);
    booking.has_first_content = true;
    return booking;
}

static bool is_same(const struct booking *booking, struct request *request)
{
    struct arena arena;
    bool same = false;
    arena_init(&arena);
    assert_true(content_keep(&request->sent, &arena, &request->parsed));
    assert_true(content_compare(booking, &request->parsed, &request->sent, &arena, &same));
    arena_fini(&arena);
    return same;
}

/* Checks each change against the booking that the unchanged request made. */
static void check_changes(const struct booking *booking)
{
    for (size_t i = 0; i < CHANGE_COUNT; i++) {
        struct request request;
        make_request(&request);
        CHANGES[i].apply(&request);
        if (is_same(booking, &request) != CHANGES[i].same)
            fail_msg("change %zu: %s", i, CHANGES[i].same ? "is not the same" : "is the same");
    }
}

static void test_content_of_a_booking_is_compared_by_its_columns(void **state)
{
    (void)state;
    struct request request;
    make_request(&request);
    struct booking booking = make_booking(&request, NULL);
    assert_false(booking.has_first_content);
    check_changes(&booking);
}

static void test_content_of_an_earlier_versions_booking_is_compared_by_its_digest(void **state)
{
    (void)state;
    struct request request;
    make_request(&request);
    struct booking booking = make_old_booking(&request);
    check_changes(&booking);
    /* A later change of the booking does not change the request that made it. */
    booking.day++;
    booking.headcount = 9;
    check_changes(&booking);
}

static void test_content_with_a_name_kept_as_sent_is_the_same_in_any_spelling(void **state)
{
    (void)state;
    struct request request;
    make_request(&request);
    request.sent.customer_name = name_as_sent;
    request.parsed.customer_name = name_as_sent;
    struct booking booking = make_old_booking(&request);
    make_request(&request);
    assert_true(is_same(&booking, &request));
    change_spelling_of_name(&request);
    assert_true(is_same(&booking, &request));
    change_headcount(&request);
    assert_false(is_same(&booking, &request));
}

static void test_content_with_unknown_fields_is_compared_with_them(void **state)
{
    (void)state;
    struct arena arena;
    struct request request;
    arena_init(&arena);
    make_request(&request);
    add_unknown_field(&request);
    struct booking booking = make_booking(&request, &arena);
    assert_true(booking.has_first_content);
    assert_true(is_same(&booking, &request));
    change_spelling_of_name(&request);
    assert_true(is_same(&booking, &request));
    change_date(&request);
    assert_false(is_same(&booking, &request));
    make_request(&request);
    assert_false(is_same(&booking, &request));
    add_other_unknown_field(&request);
    assert_false(is_same(&booking, &request));
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_content_of_a_booking_is_compared_by_its_columns),
        cmocka_unit_test(test_content_of_an_earlier_versions_booking_is_compared_by_its_digest),
        cmocka_unit_test(test_content_with_a_name_kept_as_sent_is_the_same_in_any_spelling),
        cmocka_unit_test(test_content_with_unknown_fields_is_compared_with_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
