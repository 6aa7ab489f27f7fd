/* Tests RegisterHospital and SetCapacity: every state against every command. */
#include "hospital_testing.h"

#include <string.h>

/* ---- RegisterHospital ---- */

static const struct day_wanted WANTED[] = {{TODAY + 1, 10}, {TODAY, 0}};

static struct registration registration_of(uint8_t content)
{
    return (struct registration){.hospital_id = HOSPITAL_ID,
                                 .name = "Namsan Clinic",
                                 .address = "Seoul",
                                 .content = {content},
                                 .days = WANTED,
                                 .day_count = 2};
}

static void test_register_new_hospital_opens_its_days(void **state)
{
    (void)state;
    const struct registration command = registration_of(9);
    struct hospital hospital = hospital_in(HOSPITAL_NONE);
    struct screening_day first = day_with(0, 0, 0), second = day_with(0, 0, 0);
    second.date = TODAY;
    struct screening_day *days[] = {&first, &second};
    bool changed = false;
    assert_int_equal(hospital_register(&hospital, days, &command, TODAY, NOW_US, &changed, NULL), STATUS_OK);
    assert_true(changed);
    assert_int_equal(hospital.state, HOSPITAL_ACTIVE);
    assert_string_equal(hospital.name, "Namsan Clinic");
    assert_string_equal(hospital.address, "Seoul");
    assert_int_equal(hospital.created_at_us, NOW_US);
    assert_int_equal(hospital.content[0], 9);
    assert_day(&first, 10, 10, 1);
    assert_day(&second, 0, 0, 1);
}

static void test_register_hidden_text_is_refused_unless_it_is_known(void **state)
{
    (void)state;
    struct registration command = registration_of(8);
    command.content_as_sent[0] = 7;
    command.refusal = "name: must have a visible character";
    struct hospital hospital = hospital_in(HOSPITAL_NONE);
    struct screening_day first = day_with(0, 0, 0), second = day_with(0, 0, 0);
    struct screening_day *days[] = {&first, &second};
    struct error error;
    bool changed = false;
    assert_int_equal(hospital_register(&hospital, days, &command, TODAY, NOW_US, &changed, &error),
                     STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.message, "name: must have a visible character");
    hospital = hospital_in(HOSPITAL_ACTIVE); /* a hospital whose stored digest begins with 7 */
    changed = true;
    assert_int_equal(hospital_register(&hospital, days, &command, TODAY, NOW_US, &changed, NULL), STATUS_OK);
    assert_false(changed);
}

static void test_register_past_day_is_refused_and_named(void **state)
{
    (void)state;
    const struct registration command = registration_of(9);
    struct hospital hospital = hospital_in(HOSPITAL_NONE);
    struct screening_day first = day_with(0, 0, 0), second = day_with(0, 0, 0);
    struct screening_day *days[] = {&first, &second};
    struct error error;
    bool changed = false;
    assert_int_equal(hospital_register(&hospital, days, &command, TODAY + 1, NOW_US, &changed, &error),
                     STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.message, "days[1].date: must be today or later");
    assert_int_equal(hospital.state, HOSPITAL_NONE);
    assert_day(&first, 0, 0, 0);
}

/*
 * The stored digest begins with 7. The hospital's days have passed by the time of the repetition, which must
 * not matter.
 */
static void test_register_known_hospital_depends_on_content_only(void **state)
{
    (void)state;
    static const struct {
        enum hospital_state state;
        uint8_t content;
        enum status expected;
    } CASES[] = {
        {HOSPITAL_ACTIVE, 7, STATUS_OK},
        {HOSPITAL_DELETED, 7, STATUS_OK},
        {HOSPITAL_ACTIVE, 9, STATUS_ALREADY_EXISTS},
        {HOSPITAL_DELETED, 9, STATUS_ALREADY_EXISTS},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const struct registration command = registration_of(CASES[i].content);
        struct hospital hospital = hospital_in(CASES[i].state);
        struct screening_day day = day_with(4, 3, 2);
        struct screening_day *days[] = {&day, &day};
        bool changed = false;
        assert_int_equal(
            hospital_register(&hospital, days, &command, TODAY + COUNT_MAX, NOW_US, &changed, NULL),
            CASES[i].expected);
        assert_false(changed);
        assert_int_equal(hospital.state, CASES[i].state);
        assert_string_equal(hospital.name, "Han River Clinic");
        assert_int_equal(hospital.created_at_us, 5);
        assert_day(&day, 4, 3, 2);
    }
}

/* ---- SetCapacity ---- */

static void test_set_capacity_every_case(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum hospital_state hospital;
        uint32_t capacity, remaining;
        uint32_t version;
        int32_t date_from_today;
        uint32_t wanted;
        uint32_t expected_version;
        enum status status;
        const char *reason;
        bool changed;
        uint32_t remaining_after;
    } CASES[] = {
        {"raised", HOSPITAL_ACTIVE, 10, 4, 3, 1, 12, 0, STATUS_OK, "", true, 6},
        {"lowered to what is reserved", HOSPITAL_ACTIVE, 10, 4, 3, 1, 6, 0, STATUS_OK, "", true, 0},
        {"below what is reserved", HOSPITAL_ACTIVE, 10, 4, 3, 1, 5, 0, STATUS_FAILED_PRECONDITION,
         "CAPACITY_BELOW_RESERVED", false, 4},
        {"closed", HOSPITAL_ACTIVE, 10, 10, 3, 1, 0, 0, STATUS_OK, "", true, 0},
        {"closed while reserved", HOSPITAL_ACTIVE, 10, 9, 3, 1, 0, 0, STATUS_FAILED_PRECONDITION,
         "CAPACITY_BELOW_RESERVED", false, 9},
        {"reopened", HOSPITAL_ACTIVE, 0, 0, 4, 1, 8, 4, STATUS_OK, "", true, 8},
        {"a new date opened", HOSPITAL_ACTIVE, 0, 0, 0, 1, 8, 0, STATUS_OK, "", true, 8},
        {"a new date not opened", HOSPITAL_ACTIVE, 0, 0, 0, 1, 0, 0, STATUS_OK, "", false, 0},
        {"a new date of a version", HOSPITAL_ACTIVE, 0, 0, 0, 1, 8, 1, STATUS_FAILED_PRECONDITION,
         "VERSION_MISMATCH", false, 0},
        {"the version expected", HOSPITAL_ACTIVE, 10, 4, 3, 1, 12, 3, STATUS_OK, "", true, 6},
        {"another version", HOSPITAL_ACTIVE, 10, 4, 3, 1, 12, 2, STATUS_FAILED_PRECONDITION,
         "VERSION_MISMATCH", false, 4},
        {"another version and below", HOSPITAL_ACTIVE, 10, 4, 3, 1, 5, 2, STATUS_FAILED_PRECONDITION,
         "VERSION_MISMATCH", false, 4},
        {"another version, as wanted already", HOSPITAL_ACTIVE, 10, 4, 3, 1, 10, 2, STATUS_OK, "", false, 4},
        {"as it is", HOSPITAL_ACTIVE, 10, 4, 3, 1, 10, 0, STATUS_OK, "", false, 4},
        {"today", HOSPITAL_ACTIVE, 10, 4, 3, 0, 12, 0, STATUS_OK, "", true, 6},
        {"yesterday", HOSPITAL_ACTIVE, 10, 4, 3, -1, 12, 0, STATUS_INVALID_ARGUMENT, "", false, 4},
        {"yesterday, as it is", HOSPITAL_ACTIVE, 10, 4, 3, -1, 10, 0, STATUS_INVALID_ARGUMENT, "", false, 4},
        {"unknown", HOSPITAL_NONE, 0, 0, 0, 1, 8, 0, STATUS_NOT_FOUND, "", false, 0},
        {"unknown, yesterday", HOSPITAL_NONE, 0, 0, 0, -1, 8, 0, STATUS_INVALID_ARGUMENT, "", false, 0},
        {"deleted", HOSPITAL_DELETED, 10, 4, 3, 1, 12, 0, STATUS_FAILED_PRECONDITION, "HOSPITAL_DELETED",
         false, 4},
        {"deleted, as it is", HOSPITAL_DELETED, 10, 4, 3, 1, 10, 0, STATUS_FAILED_PRECONDITION,
         "HOSPITAL_DELETED", false, 4},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const struct hospital hospital = hospital_in(CASES[i].hospital);
        const struct capacity_wanted command = {.hospital_id = HOSPITAL_ID,
                                                .date = TODAY + CASES[i].date_from_today,
                                                .capacity = CASES[i].wanted,
                                                .expected_version = CASES[i].expected_version};
        struct screening_day day = day_with(CASES[i].capacity, CASES[i].remaining, CASES[i].version);
        struct error error = {0};
        bool changed = false;
        day.date = command.date;
        print_message("case: %s\n", CASES[i].name);
        assert_int_equal(hospital_set_capacity(&hospital, &day, &command, TODAY, &changed, &error),
                         CASES[i].status);
        assert_string_equal(error.reason, CASES[i].reason);
        assert_int_equal(changed, CASES[i].changed);
        assert_day(&day, changed ? CASES[i].wanted : CASES[i].capacity, CASES[i].remaining_after,
                   CASES[i].version + (changed ? 1 : 0));
    }
}

/* The capacity of an overcommitted day may be raised, even to less than the reserved places, but not lowered.
 */
static void test_set_capacity_overcommitted_day_may_only_be_raised(void **state)
{
    (void)state;
    static const struct {
        uint32_t capacity, reserved, wanted;
        bool allowed;
        uint32_t remaining_after;
    } CASES[] = {
        {10, 13, 9, false, 0}, {10, 13, 11, true, 0}, {10, 13, 13, true, 0}, {10, 13, 15, true, 2},
        {10, 13, 0, false, 0}, {0, 3, 2, true, 0},    {0, 3, 4, true, 1},    {10, 13, 10, true, 0},
    };
    const struct hospital hospital = hospital_in(HOSPITAL_ACTIVE);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const struct capacity_wanted command = {
            .hospital_id = HOSPITAL_ID, .date = TODAY + 1, .capacity = CASES[i].wanted};
        struct screening_day day = day_with(CASES[i].capacity, 0, 1);
        day.reserved = CASES[i].reserved;
        struct error error = {0};
        bool changed = false;
        assert_int_equal(hospital_set_capacity(&hospital, &day, &command, TODAY, &changed, &error),
                         CASES[i].allowed ? STATUS_OK : STATUS_FAILED_PRECONDITION);
        assert_string_equal(error.reason, CASES[i].allowed ? "" : "CAPACITY_BELOW_RESERVED");
        assert_int_equal(day.reserved, CASES[i].reserved);
        assert_int_equal(screening_day_remaining(&day), CASES[i].remaining_after);
    }
}

static void test_register_day_with_reserved_places_keeps_them(void **state)
{
    (void)state;
    const struct registration command = registration_of(9);
    struct hospital hospital = hospital_in(HOSPITAL_NONE);
    struct screening_day first = {.date = TODAY + 1, .reserved = 4}, second = {.date = TODAY, .reserved = 1};
    struct screening_day *days[] = {&first, &second};
    struct error error = {0};
    bool changed = false;
    assert_int_equal(hospital_register(&hospital, days, &command, TODAY, NOW_US, &changed, &error),
                     STATUS_OK);
    assert_day(&first, 10, 6, 1);
    assert_int_equal(first.reserved, 4);
    assert_day(&second, 0, 0, 1);
    assert_int_equal(second.reserved, 1);
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_register_new_hospital_opens_its_days),
        cmocka_unit_test(test_register_hidden_text_is_refused_unless_it_is_known),
        cmocka_unit_test(test_register_past_day_is_refused_and_named),
        cmocka_unit_test(test_register_known_hospital_depends_on_content_only),
        cmocka_unit_test(test_set_capacity_every_case),
        cmocka_unit_test(test_set_capacity_overcommitted_day_may_only_be_raised),
        cmocka_unit_test(test_register_day_with_reserved_places_keeps_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
