#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/rpc_testing.h"
#include "rpc/wire.h"

#include "rpc/v1/introspection.pb-c.h"
#include "screening/v1/event.pb-c.h"
#include "screening/v1/hospital.pb-c.h"

static enum status check_register(const uint8_t *bytes, const uint8_t *end, struct error *error)
{
    return wire_check(&screening__v1__register_hospital_request__descriptor, bytes, (size_t)(end - bytes),
                      WIRE_REQUEST_ELEMENTS_MAX, error);
}

static void test_wire_check_empty_message_is_ok(void **state)
{
    (void)state;
    struct error error;
    assert_int_equal(wire_check(&screening__v1__hospital__descriptor, NULL, 0, 0, &error), STATUS_OK);
}

static void test_wire_check_whole_message_is_ok(void **state)
{
    (void)state;
    Screening__V1__ScreeningDay day = SCREENING__V1__SCREENING_DAY__INIT;
    day.date = "2026-12-01";
    day.capacity = 70000;
    Screening__V1__ScreeningDay *days[] = {&day, &day};
    Screening__V1__RegisterHospitalRequest request = SCREENING__V1__REGISTER_HOSPITAL_REQUEST__INIT;
    request.name = "서울 병원";
    request.n_days = 2;
    request.days = days;
    uint8_t packed[256];
    size_t size = screening__v1__register_hospital_request__pack(&request, packed);
    struct error error;
    assert_int_equal(check_register(packed, packed + size, &error), STATUS_OK);
    /* A message that is cut off anywhere except between two fields is invalid. */
    size_t ok = 0;
    for (size_t cut = 0; cut < size; cut++)
        ok += check_register(packed, packed + cut, &error) == STATUS_OK ? 1 : 0;
    assert_int_equal(ok, 3); /* cut before the name, after the name, and after the first day */
}

static void test_wire_check_bad_text_is_refused_with_its_path(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t size;
    } bad[] = {{"\xff", 1}, {"a\xc3", 2}, {"\xed\xa0\x80", 3}, {"\xc0\x80", 2}, {"a\0b", 3}, {"\0", 1}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t bytes[64];
        struct error error;
        uint8_t *end = wire_put_bytes(bytes, 2, bad[i].text, bad[i].size);
        assert_int_equal(check_register(bytes, end, &error), STATUS_INVALID_ARGUMENT);
        assert_string_equal(error.message, "name: must be valid UTF-8 without NUL");

        uint8_t day[32];
        uint8_t *day_end = wire_put_bytes(day, 1, bad[i].text, bad[i].size);
        end = wire_put_bytes(bytes, 4, day, (size_t)(day_end - day));
        assert_int_equal(check_register(bytes, end, &error), STATUS_INVALID_ARGUMENT);
        assert_string_equal(error.message, "days.date: must be valid UTF-8 without NUL");
    }
}

static void test_wire_check_unknown_fields_are_ok(void **state)
{
    (void)state;
    uint8_t bytes[64];
    uint8_t *end = wire_put_bytes(bytes, 900, "\xff\x00", 2);
    end = wire_put_varint_field(end, 901, UINT64_MAX);
    struct error error;
    assert_int_equal(check_register(bytes, end, &error), STATUS_OK);
}

static void test_wire_check_garbage_is_refused(void **state)
{
    (void)state;
    static const char *const garbage[] = {"\x0a",
                                          "\x0a\x7f",
                                          "\x08",
                                          "\x08\x80\x80",
                                          "\x0b",
                                          "\x0f\x01",
                                          "\x01\x02",
                                          "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
                                          "\xff\xff\xff\xff\xff\x01",
                                          "GET / HTTP/1.1\r\n\r\n"};
    for (size_t i = 0; i < sizeof garbage / sizeof garbage[0]; i++) {
        const uint8_t *bytes = (const uint8_t *)garbage[i];
        struct error error;
        assert_int_equal(check_register(bytes, bytes + strlen(garbage[i]), &error), STATUS_INVALID_ARGUMENT);
        assert_string_equal(error.message, "payload: not a valid screening.v1.RegisterHospitalRequest");
    }
}

/* None of our message types contains itself, but one that does must not exhaust the stack. */
extern const ProtobufCMessageDescriptor nested_descriptor;
static const ProtobufCFieldDescriptor nested_field = {
    .name = "child", .id = 1, .type = PROTOBUF_C_TYPE_MESSAGE, .descriptor = &nested_descriptor};
static const ProtobufCIntRange nested_ranges[] = {{1, 0}, {0, 1}};
const ProtobufCMessageDescriptor nested_descriptor = {.magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,
                                                      .name = "test.Nested",
                                                      .n_fields = 1,
                                                      .fields = &nested_field,
                                                      .n_field_ranges = 1,
                                                      .field_ranges = nested_ranges};

static size_t nest(uint8_t *bytes, unsigned messages)
{
    size_t size = 0;
    for (unsigned i = 1; i < messages; i++) {
        uint8_t header[16];
        size_t header_size = (size_t)(wire_put_bytes_header(header, 1, size) - header);
        memmove(bytes + header_size, bytes, size);
        memcpy(bytes, header, header_size);
        size += header_size;
    }
    return size;
}

static void test_wire_check_nesting_is_limited_to_16(void **state)
{
    (void)state;
    static uint8_t bytes[70000];
    struct error error;
    assert_int_equal(wire_check(&nested_descriptor, bytes, nest(bytes, 16), 0, &error), STATUS_OK);
    assert_int_equal(wire_check(&nested_descriptor, bytes, nest(bytes, 17), 0, &error),
                     STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "child.child"));
    assert_non_null(strstr(error.message, "must not nest deeper than 16 messages"));
    assert_int_equal(wire_check(&nested_descriptor, bytes, nest(bytes, 15000), 0, &error),
                     STATUS_INVALID_ARGUMENT);
}

/* ---- number of elements ---- */

enum { ELEMENTS_MAX = 100, ALL_BYTES = 4096 };

/* Writes the bytes of an element `count` times. */
static uint8_t *repeat(uint8_t *at, const void *element, size_t size, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        memcpy(at, element, size);
        at += size;
    }
    return at;
}

static void assert_elements(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes,
                            const uint8_t *end, size_t elements, const char *path)
{
    size_t size = (size_t)(end - bytes);
    struct error error;
    assert_int_equal(wire_check(descriptor, bytes, size, elements, &error), STATUS_OK);
    assert_int_equal(wire_check(descriptor, bytes, size, elements - 1, &error), STATUS_INVALID_ARGUMENT);
    char message[128];
    (void)snprintf(message, sizeof message, "%s: the message has more than %zu repeated or unknown elements",
                   path, elements - 1);
    assert_string_equal(error.message, message);
}

static void test_wire_check_elements_of_every_kind_are_bounded(void **state)
{
    (void)state;
    static const ProtobufCMessageDescriptor *const requests =
        &screening__v1__batch_reserve_request__descriptor;
    static const ProtobufCMessageDescriptor *const hospital =
        &screening__v1__register_hospital_request__descriptor;
    static const ProtobufCMessageDescriptor *const stats = &rpc__v1__stats_response__descriptor;
    static uint8_t bytes[ALL_BYTES];
    /*
     * The first occurrence of a known field does not count, so a message with each field once has no
     * elements.
     */
    assert_elements(requests, bytes, repeat(bytes, "\x0a\0", 2, 101), 100, "requests");
    assert_elements(hospital, bytes, repeat(bytes, "\x22\0", 2, 101), 100, "days");
    assert_elements(stats, bytes, repeat(bytes, "\x12\0", 2, 101), 100, "degraded"); /* strings */
    assert_elements(hospital, bytes, repeat(bytes, "\x12\0", 2, 101), 100,
                    "name"); /* singular, given again */
    assert_elements(hospital, bytes, repeat(bytes, "\xf8\x3f\1", 3, 100), 100, "field 1023"); /* unknown */
    assert_elements(hospital, bytes, repeat(bytes, "\xfa\x3f\0", 3, 100), 100, "field 1023");
}

static void test_wire_check_elements_of_nested_messages_are_counted_together(void **state)
{
    (void)state;
    static uint8_t bytes[ALL_BYTES];
    /* 10 days with 9 unknown fields each: 9 + 90 elements. */
    static const uint8_t day[] = {0x22, 18, 0x78, 1, 0x78, 1, 0x78, 1, 0x78, 1,
                                  0x78, 1,  0x78, 1, 0x78, 1, 0x78, 1, 0x78, 1};
    assert_elements(&screening__v1__register_hospital_request__descriptor, bytes,
                    repeat(bytes, day, sizeof day, 10), 99, "days.field 15");
    /* An unknown field is not parsed, because its content could be anything. */
    uint8_t *end = wire_put_bytes_header(bytes, 1023, 200);
    end = repeat(end, "\x22\0", 2, 100);
    assert_elements(&screening__v1__register_hospital_request__descriptor, bytes, end, 1, "field 1023");
}

/* None of our message types has packed fields. */
static const ProtobufCFieldDescriptor packed_fields[] = {
    {.name = "numbers", .id = 1, .label = PROTOBUF_C_LABEL_REPEATED, .type = PROTOBUF_C_TYPE_UINT64},
    {.name = "words", .id = 2, .label = PROTOBUF_C_LABEL_REPEATED, .type = PROTOBUF_C_TYPE_FIXED32},
    {.name = "doubles", .id = 3, .label = PROTOBUF_C_LABEL_REPEATED, .type = PROTOBUF_C_TYPE_DOUBLE},
};
static const ProtobufCIntRange packed_ranges[] = {{1, 0}, {0, 3}};
static const ProtobufCMessageDescriptor packed_descriptor = {.magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,
                                                             .name = "test.Packed",
                                                             .n_fields = 3,
                                                             .fields = packed_fields,
                                                             .n_field_ranges = 1,
                                                             .field_ranges = packed_ranges};

static void test_wire_check_packed_numbers_are_counted(void **state)
{
    (void)state;
    static uint8_t bytes[ALL_BYTES];
    uint8_t *end = repeat(wire_put_bytes_header(bytes, 1, 200), "\x80\1", 2, 100);
    assert_elements(&packed_descriptor, bytes, end, 100, "numbers");
    end = repeat(wire_put_bytes_header(bytes, 2, 400), "\0\0\0\1", 4, 100);
    assert_elements(&packed_descriptor, bytes, end, 100, "words");
    end = repeat(wire_put_bytes_header(bytes, 3, 800), "\0\0\0\0\0\0\0\1", 8, 100);
    assert_elements(&packed_descriptor, bytes, end, 100, "doubles");
    assert_elements(&packed_descriptor, bytes, repeat(bytes, "\x08\1", 2, 101), 100,
                    "numbers"); /* not packed */
}

/* The largest messages that we send: a BatchReserve request, and the response to a full Fetch. */
static void test_wire_check_largest_messages_of_ours_fit(void **state)
{
    (void)state;
    enum { REQUESTS = 1024, UNKNOWN_EACH = 7, EVENTS = 170, DAYS = 400, ALL = 2 * 1024 * 1024 };
    uint8_t *bytes = malloc(ALL);
    uint8_t item[2 * UNKNOWN_EACH];
    (void)repeat(item, "\x78\1", 2, UNKNOWN_EACH);
    uint8_t *end = bytes;
    for (size_t i = 0; i < REQUESTS; i++)
        end = wire_put_bytes(end, 1, item, sizeof item);
    struct error error;
    assert_int_equal(wire_check(&screening__v1__batch_reserve_request__descriptor, bytes,
                                (size_t)(end - bytes), WIRE_REQUEST_ELEMENTS_MAX, &error),
                     STATUS_OK);

    Screening__V1__ScreeningDay day = SCREENING__V1__SCREENING_DAY__INIT;
    day.date = "2026-12-01";
    day.capacity = 1;
    day.capacity_presence_case = SCREENING__V1__SCREENING_DAY__CAPACITY_PRESENCE_CAPACITY;
    Screening__V1__ScreeningDay *days[DAYS];
    for (size_t i = 0; i < DAYS; i++)
        days[i] = &day;
    Screening__V1__Hospital hospital = SCREENING__V1__HOSPITAL__INIT;
    hospital.days = days;
    hospital.n_days = DAYS;
    Screening__V1__Event event = SCREENING__V1__EVENT__INIT;
    event.body_case = SCREENING__V1__EVENT__BODY_HOSPITAL;
    event.hospital = &hospital;
    Screening__V1__Event *events[EVENTS];
    for (size_t i = 0; i < EVENTS; i++)
        events[i] = &event;
    Screening__V1__FetchResponse answer = SCREENING__V1__FETCH_RESPONSE__INIT;
    answer.events = events;
    answer.n_events = EVENTS;
    size_t size = screening__v1__fetch_response__pack(&answer, bytes);
    assert_true(size > (size_t)1024 * 1024); /* more than a response may hold */
    assert_int_equal(
        wire_check(&screening__v1__fetch_response__descriptor, bytes, size, WIRE_ANSWER_ELEMENTS_MAX, &error),
        STATUS_OK);
    free(bytes);
}

static void test_wire_unpack_refuses_what_the_check_refuses(void **state)
{
    (void)state;
    static uint8_t bytes[ALL_BYTES];
    struct arena arena;
    struct error error;
    arena_init(&arena);
    size_t size = (size_t)(repeat(bytes, "\x22\0", 2, ELEMENTS_MAX + 2) - bytes);
    const ProtobufCMessageDescriptor *descriptor = &screening__v1__register_hospital_request__descriptor;
    assert_null(wire_unpack(descriptor, bytes, size, ELEMENTS_MAX, &arena, &error));
    assert_int_equal(error.status, STATUS_INVALID_ARGUMENT);
    assert_null(wire_unpack(descriptor, bytes, size, ELEMENTS_MAX, &arena, NULL));
    assert_non_null(wire_unpack(descriptor, bytes, size - 2, ELEMENTS_MAX, &arena, &error));
    arena_fini(&arena);
}

/* Unpacking an accepted message must not read beyond its end. With sanitizers, this is a fuzz test. */
static void test_wire_check_random_changes_never_break_unpack(void **state)
{
    (void)state;
    Screening__V1__Booking booking = SCREENING__V1__BOOKING__INIT;
    booking.booking_id = "01890a5d-ac96-774b-bcce-b302099a8057";
    booking.customer_name = "홍길동";
    Screening__V1__Event event = SCREENING__V1__EVENT__INIT;
    event.type = "booking.confirmed";
    event.seq = 77;
    event.body_case = SCREENING__V1__EVENT__BODY_BOOKING;
    event.booking = &booking;
    uint8_t packed[256];
    size_t size = screening__v1__event__pack(&event, packed);
    unsigned seed = 1;
    size_t passed = 0;
    for (int round = 0; round < 20000; round++) {
        uint8_t *copy = malloc(size);
        memcpy(copy, packed, size);
        for (int change = 0; change < 3; change++) {
            seed = seed * 1103515245 + 12345;
            copy[(seed >> 8) % size] = (uint8_t)(seed >> 16);
        }
        struct error error;
        if (wire_check(&screening__v1__event__descriptor, copy, size, 100, &error) == STATUS_OK) {
            Screening__V1__Event *unpacked = screening__v1__event__unpack(NULL, size, copy);
            if (unpacked != NULL) {
                passed++;
                assert_int_equal(strlen(unpacked->type), strnlen(unpacked->type, size));
                screening__v1__event__free_unpacked(unpacked, NULL);
            }
        }
        free(copy);
    }
    assert_true(passed > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wire_check_empty_message_is_ok),
        cmocka_unit_test(test_wire_check_whole_message_is_ok),
        cmocka_unit_test(test_wire_check_bad_text_is_refused_with_its_path),
        cmocka_unit_test(test_wire_check_unknown_fields_are_ok),
        cmocka_unit_test(test_wire_check_garbage_is_refused),
        cmocka_unit_test(test_wire_check_nesting_is_limited_to_16),
        cmocka_unit_test(test_wire_check_elements_of_every_kind_are_bounded),
        cmocka_unit_test(test_wire_check_elements_of_nested_messages_are_counted_together),
        cmocka_unit_test(test_wire_check_packed_numbers_are_counted),
        cmocka_unit_test(test_wire_check_largest_messages_of_ours_fit),
        cmocka_unit_test(test_wire_unpack_refuses_what_the_check_refuses),
        cmocka_unit_test(test_wire_check_random_changes_never_break_unpack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
