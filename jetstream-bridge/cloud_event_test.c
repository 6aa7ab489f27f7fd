#include "cloud_event.h"

#include <stdlib.h>
#include <string.h>

#include "base/unit_testing.h"

#define ID    "0190b5c8-1111-7222-8333-444455556666"
#define ABOUT "0190b5c8-9999-7222-8333-444455556666"
#define TRACE "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static const struct uuid LOG_ID = {{0x01, 0x90, 0xb5}};

static Screening__V1__Event confirmed(Screening__V1__Booking *booking, Google__Protobuf__Timestamp *at)
{
    screening__v1__booking__init(booking);
    google__protobuf__timestamp__init(at);
    booking->booking_id = (char *)(uintptr_t)ABOUT;
    at->seconds = 1764547200;
    at->nanos = 123456000;
    Screening__V1__Event event = SCREENING__V1__EVENT__INIT;
    event.seq = 7;
    event.event_id = (char *)(uintptr_t)ID;
    event.type = (char *)(uintptr_t) "booking.confirmed";
    event.occurred_at = at;
    event.traceparent = (char *)(uintptr_t)TRACE;
    event.body_case = SCREENING__V1__EVENT__BODY_BOOKING;
    event.booking = booking;
    return event;
}

static const char *header(natsMsg *message, const char *name)
{
    const char *value = NULL;
    return natsMsgHeader_Get(message, name, &value) == NATS_OK ? value : NULL;
}

static natsMsg *make(const Screening__V1__Event *event)
{
    natsMsg *message = NULL;
    struct error error = {0};
    assert_int_equal(cloud_event_make("booking", &LOG_ID, event, &message, &error), STATUS_OK);
    return message;
}

static void test_cloud_event_has_all_attributes_and_the_packed_event(void **state)
{
    (void)state;
    Screening__V1__Booking booking;
    Google__Protobuf__Timestamp at;
    Screening__V1__Event event = confirmed(&booking, &at);
    natsMsg *message = make(&event);
    assert_string_equal(natsMsg_GetSubject(message), "screening.booking.booking.confirmed");
    assert_string_equal(header(message, "ce-specversion"), "1.0");
    assert_string_equal(header(message, "ce-id"), ID);
    assert_string_equal(header(message, "ce-type"), "booking.confirmed");
    assert_string_equal(header(message, "ce-source"),
                        "/screening/booking/0190b500-0000-0000-0000-000000000000");
    assert_string_equal(header(message, "ce-subject"), ABOUT);
    assert_string_equal(header(message, "ce-time"), "2025-12-01T00:00:00.123456Z");
    assert_string_equal(header(message, "ce-datacontenttype"), "application/protobuf");
    assert_string_equal(header(message, "traceparent"), TRACE);
    assert_string_equal(header(message, "Nats-Expected-Last-Sequence"), "6");
    uint8_t packed[256];
    size_t size = screening__v1__event__pack(&event, packed);
    assert_int_equal(natsMsg_GetDataLength(message), size);
    assert_memory_equal(natsMsg_GetData(message), packed, size);
    natsMsg_Destroy(message);
}

static void test_cloud_event_of_the_first_event_expects_an_empty_stream(void **state)
{
    (void)state;
    Screening__V1__Booking booking;
    Google__Protobuf__Timestamp at;
    Screening__V1__Event event = confirmed(&booking, &at);
    event.seq = 1;
    natsMsg *message = make(&event);
    assert_string_equal(header(message, "Nats-Expected-Last-Sequence"), "0");
    natsMsg_Destroy(message);
}

static void test_cloud_event_leaves_out_what_it_does_not_know(void **state)
{
    (void)state;
    Screening__V1__Booking booking;
    Google__Protobuf__Timestamp at;
    Screening__V1__Event event = confirmed(&booking, &at);
    event.body_case = SCREENING__V1__EVENT__BODY__NOT_SET;
    event.occurred_at = NULL;
    event.traceparent = (char *)(uintptr_t) "00-x\r\nce-id: other";
    natsMsg *message = make(&event);
    assert_null(header(message, "ce-subject"));
    assert_null(header(message, "ce-time"));
    assert_null(header(message, "traceparent"));
    natsMsg_Destroy(message);
}

static void test_cloud_event_of_a_type_that_is_no_subject_is_internal(void **state)
{
    (void)state;
    static const char *const types[] = {"", "a b", "a.", ".a", "a..b", "a.*", "a.>", "a\r\nPUB b 0"};
    Screening__V1__Booking booking;
    Google__Protobuf__Timestamp at;
    Screening__V1__Event event = confirmed(&booking, &at);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        natsMsg *message = NULL;
        struct error error = {0};
        event.type = (char *)(uintptr_t)types[i];
        assert_int_equal(cloud_event_make("booking", &LOG_ID, &event, &message, &error), STATUS_INTERNAL);
        assert_null(message);
        assert_string_equal(error.message, "type of seq 7: cannot be part of a subject");
    }
}

static void test_cloud_event_is_read_again(void **state)
{
    (void)state;
    Screening__V1__Booking booking;
    Google__Protobuf__Timestamp at;
    Screening__V1__Event event = confirmed(&booking, &at);
    natsMsg *message = make(&event);
    struct event_cursor cursor;
    char id[UUID_TEXT_SIZE];
    assert_int_equal(cloud_event_read(message, "booking", 7, &cursor), STATUS_OK);
    assert_int_equal(cursor.seq, 7);
    assert_string_equal(uuid_format(&cursor.event_id, id), ID);
    assert_true(uuid_equal(&cursor.log_id, &LOG_ID));
    assert_int_equal(cloud_event_read(message, "booking", 8, &cursor), STATUS_INVALID_ARGUMENT);
    assert_int_equal(cloud_event_read(message, "hospital", 7, &cursor), STATUS_INVALID_ARGUMENT);
    natsMsg_Destroy(message);
}

static void test_cloud_event_of_others_is_refused(void **state)
{
    (void)state;
    static const char *const sources[] = {NULL,
                                          "",
                                          "/screening/booking/",
                                          "/screening/booking/x",
                                          "0190b500-0000-0000-0000-000000000000",
                                          "/other/booking/0190b500-0000-0000-0000-000000000000"};
    Screening__V1__Booking booking;
    Google__Protobuf__Timestamp at;
    struct event_cursor cursor;
    Screening__V1__Event event = confirmed(&booking, &at);
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        natsMsg *message = make(&event);
        assert_int_equal(natsMsgHeader_Delete(message, "ce-source"), NATS_OK);
        if (sources[i] != NULL)
            assert_int_equal(natsMsgHeader_Set(message, "ce-source", sources[i]), NATS_OK);
        assert_int_equal(cloud_event_read(message, "booking", 7, &cursor), STATUS_INVALID_ARGUMENT);
        natsMsg_Destroy(message);
    }
    natsMsg *other = NULL;
    assert_int_equal(natsMsg_Create(&other, "screening.booking.x", NULL, "\xff", 1), NATS_OK);
    assert_int_equal(cloud_event_read(other, "booking", 7, &cursor), STATUS_INVALID_ARGUMENT);
    natsMsg_Destroy(other);
}

/* libnats must be open to destroy messages. */
static int open_library(void **state)
{
    (void)state;
    return nats_Open(-1) == NATS_OK ? 0 : -1;
}

static int close_library(void **state)
{
    (void)state;
    nats_Close();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cloud_event_has_all_attributes_and_the_packed_event),
        cmocka_unit_test(test_cloud_event_of_the_first_event_expects_an_empty_stream),
        cmocka_unit_test(test_cloud_event_leaves_out_what_it_does_not_know),
        cmocka_unit_test(test_cloud_event_of_a_type_that_is_no_subject_is_internal),
        cmocka_unit_test(test_cloud_event_is_read_again),
        cmocka_unit_test(test_cloud_event_of_others_is_refused),
    };
    return cmocka_run_group_tests(tests, open_library, close_library);
}
