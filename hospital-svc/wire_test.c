#include "wire.h"

#include <string.h>

#include "base/civil.h"
#include "base/page_token.h"
#include "base/unit_testing.h"

#define ID "01890000-0000-7000-8000-00000000000A"

static struct arena arena;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

/* Returns a non-const string, as protobuf-c requires. */
static char *text(const char *literal)
{
    return (char *)literal;
}

static int32_t date_of(const char *literal)
{
    int32_t day = 0;
    assert_true(civil_parse(literal, &day));
    return day;
}

/* ---- RegisterHospital ---- */

struct registering {
    Screening__V1__RegisterHospitalRequest request;
    Screening__V1__ScreeningDay days[HOSPITAL_DAYS_MAX + 1];
    Screening__V1__ScreeningDay *pointers[HOSPITAL_DAYS_MAX + 1];
};

static struct registering *registering(size_t day_count)
{
    static struct registering sample;
    screening__v1__register_hospital_request__init(&sample.request);
    sample.request.hospital_id = text(ID);
    sample.request.name = text("Namsan Clinic");
    sample.request.days = sample.pointers;
    sample.request.n_days = day_count;
    for (size_t i = 0; i < day_count; i++) {
        char date[CIVIL_TEXT_SIZE];
        screening__v1__screening_day__init(&sample.days[i]);
        sample.days[i].date = arena_strdup(&arena, civil_format(date_of("2026-12-01") + (int32_t)i, date));
        sample.days[i].capacity_presence_case = SCREENING__V1__SCREENING_DAY__CAPACITY_PRESENCE_CAPACITY;
        sample.days[i].capacity = 10;
        sample.pointers[i] = &sample.days[i];
    }
    return &sample;
}

static void expect_registration_refused(const struct registering *sample, const char *message)
{
    struct registration out;
    struct error error = {0};
    assert_int_equal(wire_read_registration(&sample->request, true, &arena, &out, &error),
                     STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.message, message);
}

static void test_registration_in_order_is_taken_over(void **state)
{
    (void)state;
    struct registering *sample = registering(2);
    struct registration out;
    assert_int_equal(wire_read_registration(&sample->request, true, &arena, &out, NULL), STATUS_OK);
    char id[UUID_TEXT_SIZE];
    assert_string_equal(uuid_format(&out.hospital_id, id), "01890000-0000-7000-8000-00000000000a");
    assert_string_equal(out.name, "Namsan Clinic");
    assert_int_equal(out.day_count, 2);
    assert_int_equal(out.days[1].date, date_of("2026-12-02"));
    assert_int_equal(out.days[1].capacity, 10);
}

static void test_registration_without_id_gets_one(void **state)
{
    (void)state;
    struct registering *sample = registering(0);
    struct registration first, second;
    sample->request.hospital_id = text("");
    assert_int_equal(wire_read_registration(&sample->request, true, &arena, &first, NULL), STATUS_OK);
    assert_int_equal(wire_read_registration(&sample->request, true, &arena, &second, NULL), STATUS_OK);
    assert_false(uuid_is_zero(&first.hospital_id));
    assert_false(uuid_equal(&first.hospital_id, &second.hospital_id));
}

static void test_registration_spelled_otherwise_has_the_same_content(void **state)
{
    (void)state;
    struct registering *sample = registering(3);
    struct registration first, second, third;
    assert_int_equal(wire_read_registration(&sample->request, true, &arena, &first, NULL), STATUS_OK);
    sample->request.hospital_id = text("01890000-0000-7000-8000-00000000000a");
    sample->pointers[0] = &sample->days[2];
    sample->pointers[2] = &sample->days[0];
    assert_int_equal(wire_read_registration(&sample->request, true, &arena, &second, NULL), STATUS_OK);
    assert_memory_equal(first.content, second.content, DIGEST_SIZE);
    sample->days[1].capacity = 11;
    assert_int_equal(wire_read_registration(&sample->request, true, &arena, &third, NULL), STATUS_OK);
    assert_memory_not_equal(first.content, third.content, DIGEST_SIZE);
}

#define NFC_NAME "\ud55c\ube5b"
#define NFD_NAME "\u1112\u1161\u11ab\u1107\u1175\u11be"

static void test_registration_texts_are_tidy_and_known_as_sent_too(void **state)
{
    (void)state;
    struct registering *sample = registering(1);
    struct registration tidy, sent;
    sample->request.name = text(NFC_NAME " a");
    sample->request.address = text("Seoul");
    assert_int_equal(wire_read_registration(&sample->request, true, &arena, &tidy, NULL), STATUS_OK);
    assert_memory_equal(tidy.content, tidy.content_as_sent, DIGEST_SIZE);
    sample->request.name = text(" " NFD_NAME "  a");
    sample->request.address = text("Seoul ");
    assert_int_equal(wire_read_registration(&sample->request, true, &arena, &sent, NULL), STATUS_OK);
    assert_string_equal(sent.name, NFC_NAME " a");
    assert_string_equal(sent.address, "Seoul");
    assert_null(sent.refusal);
    assert_memory_equal(sent.content, tidy.content, DIGEST_SIZE);
    assert_memory_not_equal(sent.content_as_sent, tidy.content, DIGEST_SIZE);
    sample->request.address = text("  ");
    assert_int_equal(wire_read_registration(&sample->request, true, &arena, &sent, NULL), STATUS_OK);
    assert_string_equal(sent.address, "");
    assert_null(sent.refusal);
}

static void test_registration_texts_that_hide_something_are_refused_if_new(void **state)
{
    (void)state;
    struct registering *sample = registering(0);
    struct registration made;
    sample->request.name = text("\u3164");
    assert_int_equal(wire_read_registration(&sample->request, true, &arena, &made, NULL), STATUS_OK);
    assert_string_equal(made.refusal, "name: must have a visible character");
    sample->request.name = text("a");
    sample->request.address = text("b\u202e");
    assert_int_equal(wire_read_registration(&sample->request, true, &arena, &made, NULL), STATUS_OK);
    assert_string_equal(made.refusal, "address: must not contain bidirectional control characters");
}

static void test_registration_out_of_limits_names_the_field(void **state)
{
    (void)state;
    struct registering *sample = registering(0);
    sample->request.hospital_id = text("no-uuid");
    expect_registration_refused(sample, "hospital_id: must be a UUID");

    sample = registering(2);
    sample->days[1].date = text("2026-02-29");
    expect_registration_refused(sample, "days[1].date: must be a date that exists, YYYY-MM-DD");
    sample->days[1].date = text("2026-12-01");
    expect_registration_refused(sample, "days[1].date: must not repeat");

    sample = registering(1);
    sample->days[0].capacity = CAPACITY_MAX;
    struct registration out;
    assert_int_equal(wire_read_registration(&sample->request, true, &arena, &out, NULL), STATUS_OK);
    sample->days[0].capacity = CAPACITY_MAX + 1;
    expect_registration_refused(sample, "days[0].capacity: must be 0 to 100000");
    sample->days[0].capacity = 1;
    sample->days[0].remaining = 1;
    expect_registration_refused(sample, "days[0].remaining: must be 0 in a request");
    sample->days[0].remaining = 0;
    sample->days[0].version = 1;
    expect_registration_refused(sample, "days[0].version: must be 0 in a request");
}

static void test_registration_lengths_are_checked(void **state)
{
    (void)state;
    char name[HOSPITAL_NAME_MAX + 2], address[HOSPITAL_ADDRESS_MAX + 2];
    memset(name, 'n', sizeof name);
    memset(address, 'a', sizeof address);
    name[HOSPITAL_NAME_MAX] = '\0';
    address[HOSPITAL_ADDRESS_MAX] = '\0';
    struct registration out;
    struct error error;
    struct registering *sample = registering(HOSPITAL_DAYS_MAX);
    sample->request.name = name;
    sample->request.address = address;
    assert_int_equal(wire_read_registration(&sample->request, true, &arena, &out, NULL), STATUS_OK);

    name[HOSPITAL_NAME_MAX] = 'n';
    name[HOSPITAL_NAME_MAX + 1] = '\0';
    assert_int_equal(wire_read_registration(&sample->request, true, &arena, &out, &error),
                     STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "name: "));
    sample->request.name = text("");
    assert_int_equal(wire_read_registration(&sample->request, true, &arena, &out, &error),
                     STATUS_INVALID_ARGUMENT);
    sample->request.name = text("a\tb");
    assert_int_equal(wire_read_registration(&sample->request, true, &arena, &out, &error),
                     STATUS_INVALID_ARGUMENT);
    sample->request.name = text("n");
    address[HOSPITAL_ADDRESS_MAX] = 'a';
    address[HOSPITAL_ADDRESS_MAX + 1] = '\0';
    assert_int_equal(wire_read_registration(&sample->request, true, &arena, &out, &error),
                     STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "address: "));
    expect_registration_refused(registering(HOSPITAL_DAYS_MAX + 1), "days: must be at most 400");
}

/* ---- SetCapacity, Reserve ---- */

static void test_capacity_left_out_is_refused_and_0_for_earlier_callers(void **state)
{
    (void)state;
    Screening__V1__SetCapacityRequest request = SCREENING__V1__SET_CAPACITY_REQUEST__INIT;
    struct capacity_wanted wanted = {.capacity = 9};
    struct error error;
    request.hospital_id = text(ID);
    request.date = text("2026-12-01");
    assert_int_equal(wire_read_capacity(&request, true, &wanted, &error), STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.message, "capacity: must be given");
    assert_int_equal(wire_read_capacity(&request, false, &wanted, NULL), STATUS_OK);
    assert_int_equal(wanted.capacity, 0);
    request.capacity_presence_case = SCREENING__V1__SET_CAPACITY_REQUEST__CAPACITY_PRESENCE_CAPACITY;
    wanted.capacity = 9;
    assert_int_equal(wire_read_capacity(&request, true, &wanted, NULL), STATUS_OK);
    assert_int_equal(wanted.capacity, 0);

    struct registering *sample = registering(2);
    struct registration given, absent;
    sample->days[1].capacity = 0;
    assert_int_equal(wire_read_registration(&sample->request, true, &arena, &given, NULL), STATUS_OK);
    sample->days[1].capacity_presence_case = SCREENING__V1__SCREENING_DAY__CAPACITY_PRESENCE__NOT_SET;
    expect_registration_refused(sample, "days[1].capacity: must be given");
    assert_int_equal(wire_read_registration(&sample->request, false, &arena, &absent, NULL), STATUS_OK);
    assert_int_equal(absent.days[1].capacity, 0);
    assert_memory_equal(absent.content, given.content, DIGEST_SIZE); /* an absent one counts as 0 */
}

static void test_capacity_out_of_limits_names_the_field(void **state)
{
    (void)state;
    static const struct {
        const char *id, *date;
        uint32_t capacity;
        const char *message;
    } CASES[] = {
        {ID, "2026-12-01", CAPACITY_MAX, NULL},
        {ID, "2026-12-01", CAPACITY_MAX + 1, "capacity: must be 0 to 100000"},
        {ID, "2026-13-01", 1, "date: must be a date that exists, YYYY-MM-DD"},
        {ID, "", 1, "date: must be a date that exists, YYYY-MM-DD"},
        {"", "2026-12-01", 1, "hospital_id: must be a UUID"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        Screening__V1__SetCapacityRequest request = SCREENING__V1__SET_CAPACITY_REQUEST__INIT;
        struct capacity_wanted out;
        struct error error = {0};
        request.hospital_id = text(CASES[i].id);
        request.date = text(CASES[i].date);
        request.capacity_presence_case = SCREENING__V1__SET_CAPACITY_REQUEST__CAPACITY_PRESENCE_CAPACITY;
        request.capacity = CASES[i].capacity;
        assert_int_equal(wire_read_capacity(&request, true, &out, &error),
                         CASES[i].message == NULL ? STATUS_OK : STATUS_INVALID_ARGUMENT);
        assert_string_equal(error.message, CASES[i].message == NULL ? "" : CASES[i].message);
    }
}

static void test_reserve_out_of_limits_names_the_field(void **state)
{
    (void)state;
    static const struct {
        const char *booking, *hospital, *date;
        uint32_t headcount;
        const char *message;
    } CASES[] = {
        {ID, ID, "2026-12-01", 1, NULL},
        {ID, ID, "2026-12-01", HEADCOUNT_MAX, NULL},
        {ID, ID, "2026-12-01", 0, "headcount: must be 1 to 100"},
        {ID, ID, "2026-12-01", HEADCOUNT_MAX + 1, "headcount: must be 1 to 100"},
        {ID, ID, "tomorrow", 1, "date: must be a date that exists, YYYY-MM-DD"},
        {ID, "", "2026-12-01", 1, "hospital_id: must be a UUID"},
        {"", ID, "2026-12-01", 1, "booking_id: must be a UUID"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        Screening__V1__ReserveRequest request = SCREENING__V1__RESERVE_REQUEST__INIT;
        struct reserve out;
        struct error error = {0};
        request.booking_id = text(CASES[i].booking);
        request.hospital_id = text(CASES[i].hospital);
        request.date = text(CASES[i].date);
        request.headcount = CASES[i].headcount;
        assert_int_equal(wire_read_reserve(&request, &out, &error),
                         CASES[i].message == NULL ? STATUS_OK : STATUS_INVALID_ARGUMENT);
        assert_string_equal(error.message, CASES[i].message == NULL ? "" : CASES[i].message);
    }
}

/* ---- GetAvailability, ListHospitals ---- */

static void test_availability_dates_have_defaults_and_limits(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
        const char *first, *last; /* NULL = refused */
        const char *message;
    } CASES[] = {
        {"", "", "2026-12-01", "2026-12-31", ""},
        {"2027-01-01", "", "2027-01-01", "2027-01-31", ""},
        {"", "2026-12-01", "2026-12-01", "2026-12-01", ""},
        {"2026-01-01", "2027-01-01", "2026-01-01", "2027-01-01", ""},
        {"2026-01-01", "2027-01-02", NULL, NULL, "to_date: must be at most 365 days after from_date"},
        {"2026-01-02", "2026-01-01", NULL, NULL, "to_date: must not be before from_date"},
        {"x", "", NULL, NULL, "from_date: must be a date that exists, YYYY-MM-DD"},
        {"", "x", NULL, NULL, "to_date: must be a date that exists, YYYY-MM-DD"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        Screening__V1__GetAvailabilityRequest request = SCREENING__V1__GET_AVAILABILITY_REQUEST__INIT;
        struct availability_wanted out;
        struct error error = {0};
        request.hospital_id = text(ID);
        request.from_date = text(CASES[i].from);
        request.to_date = text(CASES[i].to);
        enum status status = wire_read_availability(&request, date_of("2026-12-01"), &out, &error);
        assert_string_equal(error.message, CASES[i].message);
        assert_int_equal(status, CASES[i].first != NULL ? STATUS_OK : STATUS_INVALID_ARGUMENT);
        if (status == STATUS_OK) {
            assert_int_equal(out.from, date_of(CASES[i].first));
            assert_int_equal(out.to, date_of(CASES[i].last));
        }
    }
}

static void test_list_page_token_belongs_to_its_query(void **state)
{
    (void)state;
    Screening__V1__ListHospitalsRequest request = SCREENING__V1__LIST_HOSPITALS_REQUEST__INIT;
    struct list_wanted first, second;
    request.name_contains = text("clinic");
    assert_int_equal(wire_read_list(&request, &arena, &first, NULL), STATUS_OK);
    assert_int_equal(first.page_size, PAGE_SIZE_DEFAULT);
    assert_false(first.on_date);

    const struct page_position position = {.id = {{9}}};
    char token[PAGE_TOKEN_SIZE];
    request.page_token = page_token_format(&position, first.query, token);
    request.page_size = PAGE_SIZE_MAX;
    assert_int_equal(wire_read_list(&request, &arena, &second, NULL), STATUS_OK);
    assert_true(uuid_equal(&second.first_id, &position.id));
    request.include_deleted = 1;
    assert_int_equal(wire_read_list(&request, &arena, &second, NULL), STATUS_INVALID_ARGUMENT);
    request.include_deleted = 0;
    request.page_size = PAGE_SIZE_MAX + 1;
    assert_int_equal(wire_read_list(&request, &arena, &second, NULL), STATUS_INVALID_ARGUMENT);
}

static void test_list_looks_for_other_forms_of_a_name_too(void **state)
{
    (void)state;
    Screening__V1__ListHospitalsRequest request = SCREENING__V1__LIST_HOSPITALS_REQUEST__INIT;
    struct list_wanted wanted;
    request.name_contains = text(" " NFD_NAME "  a");
    assert_int_equal(wire_read_list(&request, &arena, &wanted, NULL), STATUS_OK);
    assert_string_equal(wanted.name_contains, NFC_NAME " a");
    assert_string_equal(wanted.decomposed, NFD_NAME " a");
    assert_string_equal(wanted.as_sent, request.name_contains);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_registration_in_order_is_taken_over, setup, teardown),
        cmocka_unit_test_setup_teardown(test_registration_without_id_gets_one, setup, teardown),
        cmocka_unit_test_setup_teardown(test_registration_spelled_otherwise_has_the_same_content, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_registration_texts_are_tidy_and_known_as_sent_too, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_registration_texts_that_hide_something_are_refused_if_new, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_registration_out_of_limits_names_the_field, setup, teardown),
        cmocka_unit_test_setup_teardown(test_registration_lengths_are_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_capacity_left_out_is_refused_and_0_for_earlier_callers, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_capacity_out_of_limits_names_the_field, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reserve_out_of_limits_names_the_field, setup, teardown),
        cmocka_unit_test_setup_teardown(test_availability_dates_have_defaults_and_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_list_page_token_belongs_to_its_query, setup, teardown),
        cmocka_unit_test_setup_teardown(test_list_looks_for_other_forms_of_a_name_too, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
