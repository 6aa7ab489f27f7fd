#include <stdlib.h>
#include <string.h>

#include "rpc/test_support.h"
#include "rpc/wire_check.h"
#include "rpc/wire_write.h"

#include "screening/v1/event.pb-c.h"
#include "screening/v1/hospital.pb-c.h"

static enum status check_register(const uint8_t *bytes, const uint8_t *end, struct error *error)
{
    return wire_check(&screening__v1__register_hospital_request__descriptor, bytes, (size_t)(end - bytes),
                      error);
}

static void test_wire_check_empty_message_is_ok(void **state)
{
    (void)state;
    struct error error;
    assert_int_equal(wire_check(&screening__v1__hospital__descriptor, NULL, 0, &error), STATUS_OK);
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
    /* Cut anywhere but between two fields it is no message. */
    size_t ok = 0;
    for (size_t cut = 0; cut < size; cut++) {
        ok += check_register(packed, packed + cut, &error) == STATUS_OK ? 1 : 0;
    }
    assert_int_equal(ok, 3); /* empty, after the name, after the first day */
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

/* None of ours nests in itself; a message like this must not exhaust the stack all the same. */
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
    assert_int_equal(wire_check(&nested_descriptor, bytes, nest(bytes, 16), &error), STATUS_OK);
    assert_int_equal(wire_check(&nested_descriptor, bytes, nest(bytes, 17), &error), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "child.child"));
    assert_non_null(strstr(error.message, "must not nest deeper than 16 messages"));
    assert_int_equal(wire_check(&nested_descriptor, bytes, nest(bytes, 15000), &error),
                     STATUS_INVALID_ARGUMENT);
}

/* Whatever passes must unpack without reading beyond its end: run with sanitizers this is a small fuzz test.
 */
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
        if (wire_check(&screening__v1__event__descriptor, copy, size, &error) == STATUS_OK) {
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
        cmocka_unit_test(test_wire_check_random_changes_never_break_unpack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
