/* Tests setting single fields from text. */
#include "protojson/protojson_testing.h"

#include "protojson_test.pb-c.h"
#include "screening/v1/booking.pb-c.h"
#include "screening/v1/hospital.pb-c.h"

static enum status set(ProtobufCMessage *message, const char *name, const char *text, struct arena *arena,
                       struct error *error)
{
    error_clear(error);
    return protojson_set_text(message, name, text, arena, error);
}

static void test_parameter_of_every_kind_is_set(void **state)
{
    (void)state;
    Protojson__Test__Scalars scalars = PROTOJSON__TEST__SCALARS__INIT;
    struct arena arena;
    struct error error;
    static const char *const given[][2] = {
        {"anInt32", "-5"},   {"a_uint64", "18446744073709551615"},
        {"aDouble", "1.5"},  {"aBool", "true"},
        {"aColour", "BLUE"}, {"aString", "한빛 & co"},
        {"aBytes", "AAEC"},
    };
    arena_init(&arena);
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++)
        assert_int_equal(set(&scalars.base, given[i][0], given[i][1], &arena, &error), STATUS_OK);
    assert_int_equal(scalars.an_int32, -5);
    assert_true(scalars.a_uint64 == UINT64_MAX);
    assert_true(scalars.a_double > 1.4 && scalars.a_double < 1.6);
    assert_true(scalars.a_bool);
    assert_int_equal(scalars.a_colour, PROTOJSON__TEST__COLOUR__BLUE);
    assert_string_equal(scalars.a_string, "한빛 & co");
    assert_int_equal(scalars.a_bytes.len, 3);
    arena_fini(&arena);
}

static void test_parameter_that_is_no_single_field_is_not_found(void **state)
{
    (void)state;
    Screening__V1__RegisterHospitalRequest request = SCREENING__V1__REGISTER_HOSPITAL_REQUEST__INIT;
    Protojson__Test__Choice choice = PROTOJSON__TEST__CHOICE__INIT;
    struct arena arena;
    struct error error;
    arena_init(&arena);
    assert_int_equal(set(&request.base, "nonsense", "1", &arena, &error), STATUS_NOT_FOUND);
    assert_string_equal(error.message, "nonsense: is not a parameter here");
    assert_int_equal(set(&request.base, "days", "1", &arena, &error), STATUS_NOT_FOUND);
    assert_int_equal(set(&request.base, "Name", "1", &arena, &error), STATUS_NOT_FOUND);
    assert_int_equal(set(&choice.base, "aNumber", "1", &arena, &error), STATUS_NOT_FOUND);
    arena_fini(&arena);
}

static void test_parameter_that_is_no_value_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *message;
    } cases[] = {
        {"pageSize", "many", "page_size: must be an integer from 0 to 4294967295"},
        {"pageSize", "", "page_size: must be an integer from 0 to 4294967295"},
        {"page_size", "-1", "page_size: must be an integer from 0 to 4294967295"},
        {"includeDeleted", "yes", "include_deleted: must be true or false"},
        {"date", "\xff", "date: must be valid UTF-8"},
    };
    struct arena arena;
    struct error error;
    arena_init(&arena);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Screening__V1__ListHospitalsRequest request = SCREENING__V1__LIST_HOSPITALS_REQUEST__INIT;
        assert_int_equal(set(&request.base, cases[i].name, cases[i].text, &arena, &error),
                         STATUS_INVALID_ARGUMENT);
        assert_string_equal(error.message, cases[i].message);
    }
    arena_fini(&arena);
}

static void test_parameter_given_twice_must_say_the_same(void **state)
{
    (void)state;
    Screening__V1__SetCapacityRequest request = SCREENING__V1__SET_CAPACITY_REQUEST__INIT;
    struct arena arena;
    struct error error;
    arena_init(&arena);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(set(&request.base, "date", "2026-12-01", &arena, &error), STATUS_OK);
        assert_int_equal(set(&request.base, "expectedVersion", "7", &arena, &error), STATUS_OK);
    }
    assert_int_equal(set(&request.base, "date", "2026-12-02", &arena, &error), STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.message, "date: must not be given twice with other values");
    assert_int_equal(set(&request.base, "expectedVersion", "8", &arena, &error), STATUS_INVALID_ARGUMENT);
    assert_string_equal(request.date, "2026-12-01");
    assert_true(request.expected_version == 7);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parameter_of_every_kind_is_set),
        cmocka_unit_test(test_parameter_that_is_no_single_field_is_not_found),
        cmocka_unit_test(test_parameter_that_is_no_value_is_refused_by_name),
        cmocka_unit_test(test_parameter_given_twice_must_say_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
