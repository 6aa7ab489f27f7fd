/* Tests the conversion of messages to JSON: golden texts and every refusal. */
#include <math.h>

#include "protojson/protojson_testing.h"

#include "protojson_legacy_test.pb-c.h"
#include "protojson_test.pb-c.h"
#include "screening/v1/booking.pb-c.h"
#include "screening/v1/event.pb-c.h"
#include "screening/v1/hospital.pb-c.h"
#include "screening/v1/types.pb-c.h"

static void assert_not_written(const ProtobufCMessage *message, enum status status, const char *wanted)
{
    struct error error = {.status = STATUS_OK};
    json_t *json = NULL;
    assert_int_equal(protojson_from_message(message, 0, &json, &error), status);
    assert_string_equal(error.message, wanted);
    assert_null(json);
    assert_int_equal(protojson_from_message(message, 0, &json, NULL), status);
}

static void test_encode_event_with_booking_is_canonical(void **state)
{
    (void)state;
    Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    at.seconds = 1796085000;
    at.nanos = 250000000;
    Screening__V1__Booking booking = SCREENING__V1__BOOKING__INIT;
    booking.booking_id = "018f";
    booking.customer_name = "김\"하늘\"";
    booking.headcount = 2;
    booking.status = SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED;
    booking.created_at = &at;
    booking.version = 18446744073709551615U;
    Screening__V1__Event event = SCREENING__V1__EVENT__INIT;
    event.seq = 7;
    event.type = "booking.force_cancelled";
    event.body_case = SCREENING__V1__EVENT__BODY_BOOKING;
    event.booking = &booking;
    assert_written(&event.base, 0,
                   "{\"seq\":\"7\",\"type\":\"booking.force_cancelled\",\"booking\":{\"bookingId\":\"018f\","
                   "\"customerName\":\"김\\\"하늘\\\"\",\"headcount\":2,\"status\":\"FORCE_CANCELLED\","
                   "\"createdAt\":\"2026-12-01T00:30:00.250Z\",\"version\":\"18446744073709551615\"}}");
}

static void test_encode_defaults_appear_only_when_asked_for(void **state)
{
    (void)state;
    Screening__V1__Hospital hospital = SCREENING__V1__HOSPITAL__INIT;
    assert_written(&hospital.base, 0, "{}");
    assert_written(&hospital.base, PROTOJSON_EMIT_DEFAULTS,
                   "{\"hospitalId\":\"\",\"name\":\"\",\"address\":\"\","
                   "\"status\":\"HOSPITAL_STATUS_UNSPECIFIED\",\"days\":[]}");
    Protojson__Test__Scalars scalars = PROTOJSON__TEST__SCALARS__INIT;
    scalars.a_string = NULL;
    assert_written(&scalars.base, PROTOJSON_EMIT_DEFAULTS,
                   "{\"anInt32\":0,\"aSint32\":0,\"aSfixed32\":0,\"anInt64\":\"0\",\"aSint64\":\"0\","
                   "\"aSfixed64\":\"0\",\"aUint32\":0,\"aFixed32\":0,\"aUint64\":\"0\",\"aFixed64\":\"0\","
                   "\"aFloat\":0.0,\"aDouble\":0.0,\"aBool\":false,\"aColour\":\"COLOUR_UNSPECIFIED\","
                   "\"aString\":\"\",\"aBytes\":\"\"}");
    Protojson__Test__Choice choice = PROTOJSON__TEST__CHOICE__INIT;
    assert_written(&choice.base, PROTOJSON_EMIT_DEFAULTS, "{\"beside\":\"\"}");
}

static void test_encode_extreme_scalars_are_exact(void **state)
{
    (void)state;
    Protojson__Test__Scalars scalars = PROTOJSON__TEST__SCALARS__INIT;
    scalars.an_int32 = INT32_MIN;
    scalars.a_sint32 = INT32_MAX;
    scalars.a_sfixed32 = -1;
    scalars.an_int64 = INT64_MIN;
    scalars.a_sint64 = INT64_MAX;
    scalars.a_sfixed64 = -1;
    scalars.a_uint32 = UINT32_MAX;
    scalars.a_fixed32 = 1;
    scalars.a_uint64 = UINT64_MAX;
    scalars.a_fixed64 = 1;
    scalars.a_float = 1.5F;
    scalars.a_double = -0.25;
    scalars.a_bool = 1;
    scalars.a_colour = PROTOJSON__TEST__COLOUR__ANTI;
    scalars.a_bytes = (ProtobufCBinaryData){.len = 4, .data = (uint8_t *)"\0\xff\x10\x80"};
    assert_written(
        &scalars.base, 0,
        "{\"anInt32\":-2147483648,\"aSint32\":2147483647,\"aSfixed32\":-1,"
        "\"anInt64\":\"-9223372036854775808\",\"aSint64\":\"9223372036854775807\",\"aSfixed64\":\"-1\","
        "\"aUint32\":4294967295,\"aFixed32\":1,\"aUint64\":\"18446744073709551615\",\"aFixed64\":\"1\","
        "\"aFloat\":1.5,\"aDouble\":-0.25,\"aBool\":true,\"aColour\":\"ANTI\",\"aBytes\":\"AP8QgA==\"}");
}

/* Compares the output with jansson's, for each character and for a long text, which makes the buffer grow. */
static void test_encode_every_character_is_escaped_as_it_must(void **state)
{
    (void)state;
    char all[2000];
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (char)(1 + i % 127);
    all[sizeof all - 1] = '\0';
    for (int c = 0; c <= 127; c++) {
        char one[] = {(char)c, 'x', '\0'};
        Screening__V1__GetBookingRequest request = SCREENING__V1__GET_BOOKING_REQUEST__INIT;
        request.booking_id = c > 0 ? one : all;
        json_t *wanted = json_pack("{s:s}", "bookingId", request.booking_id);
        char *text = json_dumps(wanted, JSON_COMPACT);
        struct arena arena;
        arena_init(&arena);
        char *written = NULL;
        size_t size = 0;
        assert_int_equal(protojson_write(&request.base, 0, &arena, &written, &size, NULL), STATUS_OK);
        assert_string_equal(written, text);
        assert_int_equal(size, strlen(text));
        arena_fini(&arena);
        free(text);
        json_decref(wanted);
    }
}

static void test_encode_lists_keep_their_order(void **state)
{
    (void)state;
    double doubles[] = {(double)NAN, (double)INFINITY, -(double)INFINITY, 1.0};
    Protojson__Test__Colour colours[] = {PROTOJSON__TEST__COLOUR__BLUE, (Protojson__Test__Colour)99};
    char *strings[] = {"가", NULL, ""};
    Google__Protobuf__Timestamp epoch = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    Google__Protobuf__Timestamp *instants[] = {&epoch};
    Protojson__Test__Lists lists = PROTOJSON__TEST__LISTS__INIT;
    lists.n_doubles = 4;
    lists.doubles = doubles;
    lists.n_colours = 2;
    lists.colours = colours;
    lists.n_strings = 3;
    lists.strings = strings;
    lists.n_instants = 1;
    lists.instants = instants;
    assert_written(&lists.base, 0,
                   "{\"doubles\":[\"NaN\",\"Infinity\",\"-Infinity\",1.0],\"colours\":[\"BLUE\",99],"
                   "\"strings\":[\"가\",\"\",\"\"],\"instants\":[\"1970-01-01T00:00:00Z\"]}");
}

static void test_encode_oneof_member_appears_even_at_its_default(void **state)
{
    (void)state;
    Protojson__Test__Choice choice = PROTOJSON__TEST__CHOICE__INIT;
    choice.first_case = PROTOJSON__TEST__CHOICE__FIRST_A_NUMBER;
    choice.second_case = PROTOJSON__TEST__CHOICE__SECOND_YES;
    assert_written(&choice.base, 0, "{\"aNumber\":\"0\",\"yes\":false}");
    choice.first_case = PROTOJSON__TEST__CHOICE__FIRST_SOME_SCALARS;
    choice.some_scalars = NULL;
    assert_written(&choice.base, 0, "{\"yes\":false}");
}

static void test_encode_optional_field_appears_when_it_is_given(void **state)
{
    (void)state;
    Screening__V1__SetCapacityRequest request = SCREENING__V1__SET_CAPACITY_REQUEST__INIT;
    assert_written(&request.base, 0, "{}");
    assert_written(&request.base, PROTOJSON_EMIT_DEFAULTS,
                   "{\"hospitalId\":\"\",\"date\":\"\",\"expectedVersion\":\"0\"}");
    request.capacity_presence_case = SCREENING__V1__SET_CAPACITY_REQUEST__CAPACITY_PRESENCE_CAPACITY;
    assert_written(&request.base, 0, "{\"capacity\":0}");
}

static void test_encode_indented_text_is_for_people(void **state)
{
    (void)state;
    Screening__V1__GetBookingRequest request = SCREENING__V1__GET_BOOKING_REQUEST__INIT;
    request.booking_id = "b";
    assert_written(&request.base, PROTOJSON_INDENT, "{\n  \"bookingId\": \"b\"\n}");
}

static void test_encode_bare_timestamp_is_a_string(void **state)
{
    (void)state;
    Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    assert_written(&at.base, 0, "\"1970-01-01T00:00:00Z\"");
}

static void test_encode_bad_content_is_refused_by_path(void **state)
{
    (void)state;
    Screening__V1__ScreeningDay good = SCREENING__V1__SCREENING_DAY__INIT;
    Screening__V1__ScreeningDay bad = SCREENING__V1__SCREENING_DAY__INIT;
    bad.date = "\xed\xa0\x80";
    Screening__V1__ScreeningDay *days[] = {&good, &bad};
    Screening__V1__Hospital hospital = SCREENING__V1__HOSPITAL__INIT;
    hospital.n_days = 2;
    hospital.days = days;
    assert_not_written(&hospital.base, STATUS_INVALID_ARGUMENT, "days[1].date: must be valid UTF-8");
    Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    at.nanos = 1000000000;
    hospital.created_at = &at;
    assert_not_written(&hospital.base, STATUS_INVALID_ARGUMENT,
                       "created_at: must be an instant in the years 1 to 9999");
}

static void test_encode_depth_is_bounded(void **state)
{
    (void)state;
    Protojson__Test__Tree trees[PROTOJSON_DEPTH_MAX + 1];
    for (size_t i = 0; i <= PROTOJSON_DEPTH_MAX; i++) {
        protojson__test__tree__init(&trees[i]);
        trees[i].child = i > 0 ? &trees[i - 1] : NULL;
    }
    json_t *json = NULL;
    assert_int_equal(protojson_from_message(&trees[PROTOJSON_DEPTH_MAX - 1].base, 0, &json, NULL), STATUS_OK);
    json_decref(json);
    struct error error;
    assert_int_equal(protojson_from_message(&trees[PROTOJSON_DEPTH_MAX].base, 0, &json, &error),
                     STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "child.child.child"));
}

static void test_encode_unsupported_types_are_unimplemented(void **state)
{
    (void)state;
    Protojson__Test__WithMap map = PROTOJSON__TEST__WITH_MAP__INIT;
    assert_not_written(&map.base, STATUS_UNIMPLEMENTED, "count_by_name: maps have no JSON form here");
    Protojson__Test__Legacy legacy = PROTOJSON__TEST__LEGACY__INIT;
    assert_not_written(&legacy.base, STATUS_UNIMPLEMENTED,
                       "maybe: required and optional fields have no JSON form here");
    Google__Protobuf__Duration duration = GOOGLE__PROTOBUF__DURATION__INIT;
    Protojson__Test__WithDuration with_duration = PROTOJSON__TEST__WITH_DURATION__INIT;
    with_duration.length = &duration;
    assert_not_written(&with_duration.base, STATUS_UNIMPLEMENTED,
                       "length: google.protobuf.Duration has no JSON form here");
    Protojson__Test__WithPairs pairs = PROTOJSON__TEST__WITH_PAIRS__INIT;
    assert_written(&pairs.base, PROTOJSON_EMIT_DEFAULTS, "{\"pairs\":[]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encode_event_with_booking_is_canonical),
        cmocka_unit_test(test_encode_defaults_appear_only_when_asked_for),
        cmocka_unit_test(test_encode_extreme_scalars_are_exact),
        cmocka_unit_test(test_encode_every_character_is_escaped_as_it_must),
        cmocka_unit_test(test_encode_lists_keep_their_order),
        cmocka_unit_test(test_encode_oneof_member_appears_even_at_its_default),
        cmocka_unit_test(test_encode_optional_field_appears_when_it_is_given),
        cmocka_unit_test(test_encode_indented_text_is_for_people),
        cmocka_unit_test(test_encode_bare_timestamp_is_a_string),
        cmocka_unit_test(test_encode_bad_content_is_refused_by_path),
        cmocka_unit_test(test_encode_depth_is_bounded),
        cmocka_unit_test(test_encode_unsupported_types_are_unimplemented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
