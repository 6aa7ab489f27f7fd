/*
 * Tests the conversion of JSON to messages: structure, names, presence, and refusals other than those of
 * single scalars.
 */
#include <stdio.h>

#include "protojson/protojson_testing.h"

#include "protojson_legacy_test.pb-c.h"
#include "protojson_test.pb-c.h"
#include "screening/v1/booking.pb-c.h"
#include "screening/v1/event.pb-c.h"
#include "screening/v1/hospital.pb-c.h"

#define REGISTER &screening__v1__register_hospital_request__descriptor
#define CHOICE   &protojson__test__choice__descriptor

static void test_decode_request_fills_every_field(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    const Screening__V1__RegisterHospitalRequest *request = (const void *)must_read(
        "{\"hospitalId\":\"h\",\"name\":\"서울한빛검진센터\",\"address\":null,"
        "\"days\":[{\"date\":\"2026-12-01\",\"capacity\":100},{\"version\":\"18446744073709551615\"}]}",
        REGISTER, 0, &arena);
    assert_string_equal(request->hospital_id, "h");
    assert_string_equal(request->name, "서울한빛검진센터");
    assert_ptr_equal(request->address, protobuf_c_empty_string);
    assert_int_equal(request->n_days, 2);
    assert_string_equal(request->days[0]->date, "2026-12-01");
    assert_int_equal(request->days[0]->capacity, 100);
    assert_ptr_equal(request->days[1]->date, protobuf_c_empty_string);
    assert_true(request->days[1]->version == UINT64_MAX);
    arena_fini(&arena);
}

static void test_decode_both_spellings_of_a_name_are_read(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    const Screening__V1__CreateBookingRequest *request =
        (const void *)must_read("{\"booking_id\":\"b\",\"customerId\":\"c\",\"queue_if_unavailable\":true}",
                                &screening__v1__create_booking_request__descriptor, 0, &arena);
    assert_string_equal(request->booking_id, "b");
    assert_string_equal(request->customer_id, "c");
    assert_int_equal(request->queue_if_unavailable, 1);
    arena_fini(&arena);
    assert_refused("{\"bookingId\":\"b\",\"booking_id\":\"b\"}",
                   &screening__v1__create_booking_request__descriptor, STATUS_INVALID_ARGUMENT,
                   "booking_id: must not be given beside bookingId");
}

static void test_decode_nothing_is_the_default_message(void **state)
{
    (void)state;
    static const char *const cases[] = {"{}", "{\"days\":[]}", "{\"days\":null,\"name\":null}", " { } ",
                                        "{\"hospital_id\":\"\"}"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena arena;
        arena_init(&arena);
        const ProtobufCMessage *message = must_read(cases[i], REGISTER, 0, &arena);
        assert_int_equal(protobuf_c_message_get_packed_size(message), 0);
        arena_fini(&arena);
    }
}

static void test_decode_oneof_member_is_chosen(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    const Screening__V1__Event *event =
        (const void *)must_read("{\"seq\":3,\"occurredAt\":\"2026-12-01T09:30:00.5+09:00\",\"hospital\":null,"
                                "\"day\":{\"hospitalId\":\"h\",\"day\":{\"remaining\":4}}}",
                                &screening__v1__event__descriptor, 0, &arena);
    assert_true(event->seq == 3);
    assert_true(event->occurred_at->seconds == 1796085000);
    assert_int_equal(event->occurred_at->nanos, 500000000);
    assert_int_equal(event->body_case, SCREENING__V1__EVENT__BODY_DAY);
    assert_int_equal(event->day->day->remaining, 4);

    const Protojson__Test__Choice *choice =
        (const void *)must_read("{\"aText\":\"\",\"ratio\":0}", CHOICE, 0, &arena);
    assert_int_equal(choice->first_case, PROTOJSON__TEST__CHOICE__FIRST_A_TEXT);
    assert_string_equal(choice->a_text, "");
    assert_int_equal(choice->second_case, PROTOJSON__TEST__CHOICE__SECOND_RATIO);
    arena_fini(&arena);
}

static void test_decode_two_members_of_one_oneof_are_refused(void **state)
{
    (void)state;
    assert_refused("{\"aText\":\"x\",\"aNumber\":1}", CHOICE, STATUS_INVALID_ARGUMENT,
                   "a_text: must not be given beside a_number");
    assert_refused("{\"booking\":{},\"hospital\":{}}", &screening__v1__event__descriptor,
                   STATUS_INVALID_ARGUMENT, "hospital: must not be given beside booking");
}

static void test_decode_unknown_field_is_refused_unless_ignored(void **state)
{
    (void)state;
    static const char text[] = "{\"name\":\"n\",\"colour\":{\"deep\":[1,2]},\"days\":[{\"x\":1}]}";
    assert_refused("{\"days\":[{},{\"date\":\"d\",\"colour\":1}]}", REGISTER, STATUS_INVALID_ARGUMENT,
                   "days[1].colour: is not a field of screening.v1.ScreeningDay");
    assert_refused("{\"name\":\"n\",\"Name\":\"n\"}", REGISTER, STATUS_INVALID_ARGUMENT,
                   "Name: is not a field of screening.v1.RegisterHospitalRequest");
    assert_refused("{\"\":1}", &screening__v1__get_booking_request__descriptor, STATUS_INVALID_ARGUMENT,
                   "is not a field of screening.v1.GetBookingRequest");
    struct arena arena;
    arena_init(&arena);
    const Screening__V1__RegisterHospitalRequest *request =
        (const void *)must_read(text, REGISTER, PROTOJSON_IGNORE_UNKNOWN, &arena);
    assert_string_equal(request->name, "n");
    assert_int_equal(request->n_days, 1);
    arena_fini(&arena);
}

static void test_decode_long_or_odd_key_is_shown_cut_and_harmless(void **state)
{
    (void)state;
    assert_refused("{\"a\\u001b[31m\\n\":1}", &screening__v1__get_booking_request__descriptor,
                   STATUS_INVALID_ARGUMENT, "a?[31m?: is not a field of screening.v1.GetBookingRequest");
    assert_refused(
        "{\"가가가가가가가가가가가가가가가가가가가가가가\":1}",
        &screening__v1__get_booking_request__descriptor, STATUS_INVALID_ARGUMENT,
        "가가가가가가가가가가가가가가가가가가가가가: is not a field of screening.v1.GetBookingRequest");
}

static void test_decode_wrong_kind_is_refused_by_path(void **state)
{
    (void)state;
    assert_refused("[]", REGISTER, STATUS_INVALID_ARGUMENT, "must be an object");
    assert_refused("null", REGISTER, STATUS_INVALID_ARGUMENT, "must be an object");
    assert_refused("{\"days\":{}}", REGISTER, STATUS_INVALID_ARGUMENT, "days: must be an array");
    assert_refused("{\"days\":[{},7]}", REGISTER, STATUS_INVALID_ARGUMENT, "days[1]: must be an object");
    assert_refused("{\"days\":[null]}", REGISTER, STATUS_INVALID_ARGUMENT, "days[0]: must be an object");
    assert_refused("{\"days\":[{},{},{\"capacity\":-1}]}", REGISTER, STATUS_INVALID_ARGUMENT,
                   "days[2].capacity: must be an integer from 0 to 4294967295");
    assert_refused("{\"strings\":[\"a\",null]}", &protojson__test__lists__descriptor, STATUS_INVALID_ARGUMENT,
                   "strings[1]: must be a string");
    static const char rule[] = "occurred_at: must be an RFC 3339 instant such as \"2026-12-01T00:30:00Z\"";
    assert_refused("{\"occurredAt\":1}", &screening__v1__event__descriptor, STATUS_INVALID_ARGUMENT, rule);
    assert_refused("{\"occurredAt\":{\"seconds\":1}}", &screening__v1__event__descriptor,
                   STATUS_INVALID_ARGUMENT, rule);
    assert_refused("{\"occurredAt\":\"2026-12-01T00:30:00Z\\u0000\"}", &screening__v1__event__descriptor,
                   STATUS_INVALID_ARGUMENT, rule);
}

static void test_decode_bare_timestamp_is_read(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    const Google__Protobuf__Timestamp *at = (const void *)must_read(
        "\"1970-01-01T00:00:01Z\"", &google__protobuf__timestamp__descriptor, 0, &arena);
    assert_true(at->seconds == 1);
    arena_fini(&arena);
}

/* Writes {"child":{"child": ... {} ... }} with `levels` levels. */
static void write_nested(char *out, size_t size, unsigned levels)
{
    size_t used = 0;
    for (unsigned i = 1; i < levels; i++)
        used += (size_t)snprintf(out + used, size - used, "{\"child\":");
    used += (size_t)snprintf(out + used, size - used, "{");
    memset(out + used, '}', levels);
    out[used + levels] = '\0';
}

static void test_decode_depth_is_bounded(void **state)
{
    (void)state;
    char text[2048];
    struct arena arena;
    arena_init(&arena);
    write_nested(text, sizeof text, PROTOJSON_DEPTH_MAX);
    (void)must_read(text, &protojson__test__tree__descriptor, 0, &arena);
    write_nested(text, sizeof text, PROTOJSON_DEPTH_MAX + 1);
    ProtobufCMessage *message = NULL;
    assert_int_equal(protojson_text_to_message(text, strlen(text), &protojson__test__tree__descriptor, 0,
                                               &arena, &message, NULL),
                     STATUS_INVALID_ARGUMENT);
    assert_null(message);
    arena_fini(&arena);
}

static void test_decode_unsupported_types_are_unimplemented(void **state)
{
    (void)state;
    assert_refused("{\"countByName\":{}}", &protojson__test__with_map__descriptor, STATUS_UNIMPLEMENTED,
                   "count_by_name: maps have no JSON form here");
    assert_refused("{\"maybe\":1}", &protojson__test__legacy__descriptor, STATUS_UNIMPLEMENTED,
                   "maybe: required and optional fields have no JSON form here");
    assert_refused("{\"length\":\"1s\"}", &protojson__test__with_duration__descriptor, STATUS_UNIMPLEMENTED,
                   "length: google.protobuf.Duration has no JSON form here");
    struct arena arena;
    arena_init(&arena);
    const Protojson__Test__WithPairs *pairs = (const void *)must_read(
        "{\"pairs\":[{\"key\":\"k\",\"value\":1}]}", &protojson__test__with_pairs__descriptor, 0, &arena);
    assert_int_equal(pairs->pairs[0]->value, 1);
    arena_fini(&arena);
}

static void test_decode_json_made_by_hand_is_checked_too(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    ProtobufCMessage *message = NULL;
    struct error error;
    json_t *json = json_object();
    assert_int_equal(json_object_set_new(json, "name", json_stringn_nocheck("\xc3(", 2)), 0);
    assert_int_equal(protojson_to_message(json, REGISTER, 0, &arena, &message, &error),
                     STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.message, "name: must be valid UTF-8");
    assert_int_equal(protojson_to_message(NULL, REGISTER, 0, &arena, &message, &error),
                     STATUS_INVALID_ARGUMENT);
    json_decref(json);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode_request_fills_every_field),
        cmocka_unit_test(test_decode_both_spellings_of_a_name_are_read),
        cmocka_unit_test(test_decode_nothing_is_the_default_message),
        cmocka_unit_test(test_decode_oneof_member_is_chosen),
        cmocka_unit_test(test_decode_two_members_of_one_oneof_are_refused),
        cmocka_unit_test(test_decode_unknown_field_is_refused_unless_ignored),
        cmocka_unit_test(test_decode_long_or_odd_key_is_shown_cut_and_harmless),
        cmocka_unit_test(test_decode_wrong_kind_is_refused_by_path),
        cmocka_unit_test(test_decode_bare_timestamp_is_read),
        cmocka_unit_test(test_decode_depth_is_bounded),
        cmocka_unit_test(test_decode_unsupported_types_are_unimplemented),
        cmocka_unit_test(test_decode_json_made_by_hand_is_checked_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
