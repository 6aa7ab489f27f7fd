#include "import_plan.h"

#include <stdio.h>
#include <string.h>

#include "base/civil.h"
#include "base/unit_testing.h"

#define HEADER "hospital_id,name,address,date,capacity\n"
#define ID_A   "018f0000-0000-7000-8000-00000000000a"
#define ID_B   "018f0000-0000-7000-8000-00000000000b"

enum { TODAY = 20000, COMPLAINTS_SIZE = 4096 };

struct result {
    struct arena arena;
    struct import_plan plan;
    struct error error;
    enum status status;
    char complaints[COMPLAINTS_SIZE]; /* each "LINE: text\n" */
};

static void complain(void *context, size_t line, const char *complaint)
{
    struct result *result = context;
    size_t used = strlen(result->complaints);
    snprintf(result->complaints + used, COMPLAINTS_SIZE - used, "%zu: %s\n", line, complaint);
}

static struct result result;

static void read_plan(const char *text)
{
    arena_init(&result.arena);
    result.complaints[0] = '\0';
    result.status = import_plan_read(text, strlen(text), TODAY, &result.arena, complain, &result,
                                     &result.plan, &result.error);
}

static int tear_down(void **state)
{
    (void)state;
    arena_fini(&result.arena);
    return 0;
}

static void test_import_plan_lines_of_one_hospital_become_its_days(void **state)
{
    (void)state;
    read_plan(HEADER ID_A ",\"서울, 검진\",주소,+1,10\n" ID_A ",\"서울, 검진\",주소,+0,0\n" ID_B
                          ",B,,+2,100000\n");
    assert_int_equal(result.status, STATUS_OK);
    assert_string_equal(result.complaints, "");
    assert_int_equal(result.plan.hospital_count, 2);
    const struct import_hospital *first = &result.plan.hospitals[0];
    assert_string_equal(first->name, "서울, 검진");
    assert_string_equal(first->address, "주소");
    assert_int_equal(first->line, 2);
    assert_int_equal(first->day_count, 2);
    assert_int_equal(first->days[0].day, TODAY + 1);
    assert_int_equal(first->days[0].capacity, 10);
    assert_int_equal(first->days[1].day, TODAY);
    assert_int_equal(first->days[1].line, 3);
    assert_int_equal(result.plan.hospitals[1].days[0].capacity, 100000);
}

static void test_import_plan_empty_id_depends_on_name_and_address_only(void **state)
{
    (void)state;
    char id[UUID_TEXT_SIZE];
    read_plan(HEADER ",A,x,+1,1\n,A,x,+2,1\n,A,y,+1,1\n,B,x,+1,1\n");
    assert_string_equal(result.complaints, "");
    assert_int_equal(result.plan.hospital_count, 3);
    assert_int_equal(result.plan.hospitals[0].day_count, 2);
    /* The same name and address must always give this id. */
    assert_string_equal(uuid_format(&result.plan.hospitals[0].id, id),
                        "311288c9-2d59-5528-9fa6-9b25d1efe85f");
    assert_false(uuid_equal(&result.plan.hospitals[0].id, &result.plan.hospitals[1].id));
    assert_false(uuid_equal(&result.plan.hospitals[0].id, &result.plan.hospitals[2].id));
}

static void assert_same_id(const struct uuid *a, const struct uuid *b)
{
    assert_true(uuid_equal(a, b));
}

static void test_import_plan_spellings_of_one_name_are_one_hospital(void **state)
{
    (void)state;
    read_plan(HEADER ",\u1112\u1161\u11ab,x  y ,+1,1\n,\ud55c,x y,+2,1\n");
    assert_string_equal(result.complaints, "");
    assert_int_equal(result.plan.hospital_count, 1);
    assert_string_equal(result.plan.hospitals[0].name, "\ud55c");
    assert_string_equal(result.plan.hospitals[0].address, "x y");
    const struct import_hospital both = result.plan.hospitals[0];
    arena_fini(&result.arena);
    read_plan(HEADER ",\ud55c,x y,+2,1\n");
    const struct import_hospital composed = result.plan.hospitals[0];
    assert_same_id(&composed.id, &both.id);
    assert_same_id(&composed.former_ids[0], &both.former_ids[0]); /* decomposed */
    assert_false(uuid_is_zero(&composed.former_ids[0]));
    assert_true(uuid_is_zero(&composed.former_ids[1])); /* the file has the text in normalized form */
    assert_false(uuid_is_zero(&both.former_ids[1]));
    arena_fini(&result.arena);
    read_plan(HEADER ",A,x,+1,1\n");
    assert_true(uuid_is_zero(&result.plan.hospitals[0].former_ids[0]));
    assert_true(uuid_is_zero(&result.plan.hospitals[0].former_ids[1]));
}

static void test_import_plan_empty_records_are_skipped(void **state)
{
    (void)state;
    read_plan(HEADER ",,,,\n ,\t, ,,\n,A,x,+1,1\n,,,,\n,,\n\"\",,,,\n");
    assert_string_equal(result.complaints, "");
    assert_int_equal(result.plan.bad_lines, 0);
    assert_int_equal(result.plan.hospital_count, 1);
}

static void test_import_plan_bad_lines_are_reported_and_the_others_are_kept(void **state)
{
    (void)state;
    read_plan(HEADER "not-a-uuid,A,x,+1,1\n"
                     ",,x,+1,1\n"
                     ",A,x,2026-02-30,1\n"
                     ",A,x,2024-10-03,1\n"
                     ",A,x,+1,100001\n"
                     ",A,x,+1,-1\n"
                     ",A,x,+1\n"
                     ",A\x01,x,+1,1\n"
                     ",A,x,+1,1\n"
                     ",A,x,+1,2\n"
                     ",A\"B,x,+1,1\n"
                     ",A,x,+2,1\n");
    assert_int_equal(result.status, STATUS_OK);
    static const char *const expected[] = {
        "2: hospital_id: must be a UUID or empty\n",
        "3: name: ",
        "\n4: date: must be a date that exists",
        "today, not \"2026-02-30\"\n",
        "\n5: date: must not lie in the past, as \"2024-10-03\" does\n",
        "\n6: capacity: must be a whole number from 0 to 100000, not \"100001\"\n",
        "\n7: capacity: must be a whole number from 0 to 100000, not \"-1\"\n",
        "\n8: record: must have 5 fields, not 4\n",
        "\n9: name: ",
        "\n11: date: must not be that of line 10 again\n",
        "\n12: quotes: "};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        assert_non_null(strstr(result.complaints, expected[i]));
    assert_int_equal(result.plan.bad_lines, 10);
    assert_int_equal(result.plan.hospital_count, 1);
    assert_int_equal(result.plan.hospitals[0].day_count, 2);
}

static void test_import_plan_id_with_two_contents_is_reported(void **state)
{
    (void)state;
    read_plan(HEADER ID_A ",A,x,+1,1\n" ID_A ",B,x,+2,1\n" ID_A ",A,y,+2,1\n" ID_B ",A,x,+1,1\n" ID_A
                          ",A,x,+3,1\n");
    assert_string_equal(result.complaints, "3: name: must be that of the hospital's first line, 2\n"
                                           "4: address: must be that of the hospital's first line, 2\n"
                                           "6: hospital_id: the lines of one hospital must be consecutive\n");
    assert_int_equal(result.plan.hospital_count, 2);
}

static void test_import_plan_more_days_than_a_hospital_may_have_are_reported(void **state)
{
    (void)state;
    char text[16384] = HEADER;
    for (int i = 0; i < 401; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, ",A,x,+%d,1\n", i);
    }
    read_plan(text);
    assert_string_equal(result.complaints, "402: date: a hospital must have at most 400 days\n");
    assert_int_equal(result.plan.hospitals[0].day_count, 400);
}

static void test_import_plan_other_header_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "name,address\n", "hospital_id,name,address,capacity,date\n",
                                        "hospital_id,name,address,date,capacity,x\n"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        read_plan(wrong[i]);
        assert_int_equal(result.status, STATUS_INVALID_ARGUMENT);
        char expected[ERROR_MESSAGE_SIZE];
        snprintf(expected, sizeof expected,
                 "header: must be hospital_id,name,address,date,capacity, not \"%.*s\"",
                 (int)strcspn(wrong[i], "\n"), wrong[i]);
        assert_string_equal(result.error.message, expected);
        arena_fini(&result.arena);
    }
    read_plan("hospital_id;name;address;date;capacity\n");
    assert_non_null(strstr(result.error.message, "with commas, not \"hospital_id;"));
    arena_fini(&result.arena);
    read_plan("\xef\xbb\xbf" HEADER);
    assert_int_equal(result.status, STATUS_OK);
    assert_int_equal(result.plan.hospital_count, 0);
}

/* The encodings that Excel in Korea uses for "CSV" and "Unicode text". */
static void test_import_plan_other_encodings_are_reported(void **state)
{
    (void)state;
    read_plan(HEADER ",\xb0\xa9\xba\xb4\xbf\xf8,\xbc\xad\xbf\xef \x8c\x63,+1,1\n");
    assert_int_equal(result.status, STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(result.error.message, "CP949"));
    assert_non_null(strstr(result.error.message, "CSV UTF-8"));
    arena_fini(&result.arena);
    read_plan("\xff\xfeh");
    assert_int_equal(result.status, STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(result.error.message, "UTF-16"));
    arena_fini(&result.arena);
    /* A stray byte in a file with Hangul in UTF-8 makes only its own line invalid. */
    read_plan(HEADER ",갑병원,서울,+1,1\n,\xb0\xa9,서울,+1,1\n");
    assert_int_equal(result.status, STATUS_OK);
    assert_int_equal(result.plan.bad_lines, 1);
}

static void make_there(Screening__V1__Hospital *there, char *name, char *address)
{
    screening__v1__hospital__init(there);
    there->name = name;
    there->address = address;
    there->status = SCREENING__V1__HOSPITAL_STATUS__ACTIVE;
}

static void test_import_missing_days_are_those_not_there_with_places(void **state)
{
    (void)state;
    read_plan(HEADER ",A,x,+1,1\n,A,x,+2,5\n,A,x,+3,0\n,A,x,+4,9\n");
    char date[CIVIL_TEXT_SIZE];
    Screening__V1__Hospital there;
    make_there(&there, "A", "x");
    Screening__V1__ScreeningDay day = SCREENING__V1__SCREENING_DAY__INIT;
    Screening__V1__ScreeningDay *days[] = {&day};
    day.date = civil_format(TODAY + 2, date);
    there.days = days;
    there.n_days = 1;
    const struct import_day *missing[4];
    assert_int_equal(import_missing_days(&result.plan.hospitals[0], &there, missing), 2);
    assert_int_equal(missing[0]->day, TODAY + 1);
    assert_int_equal(missing[1]->day, TODAY + 4);
}

static void test_import_differing_days_are_those_with_another_capacity(void **state)
{
    (void)state;
    read_plan(HEADER ",A,x,+1,1\n,A,x,+2,5\n,A,x,+3,0\n,A,x,+4,9\n");
    char dates[3][CIVIL_TEXT_SIZE];
    Screening__V1__Hospital there;
    make_there(&there, "A", "x");
    Screening__V1__ScreeningDay day[3], *days[3];
    for (int i = 0; i < 3; i++) { /* +1 with 1 place, +2 with 8, +3 with 8 */
        screening__v1__screening_day__init(&day[i]);
        day[i].date = civil_format(TODAY + 1 + i, dates[i]);
        day[i].capacity = i == 0 ? 1 : 8;
        days[i] = &day[i];
    }
    there.days = days;
    there.n_days = 3;
    const struct import_day *differing[4];
    uint32_t capacities[4];
    assert_int_equal(import_differing_days(&result.plan.hospitals[0], &there, differing, capacities), 2);
    assert_int_equal(differing[0]->capacity, 5);
    assert_int_equal(capacities[0], 8);
    assert_int_equal(differing[1]->line, 4);
}

static void test_import_same_hospital_other_content_is_refused(void **state)
{
    (void)state;
    static const struct {
        char *name, *address;
        Screening__V1__HospitalStatus status;
        const char *complaint; /* NULL = same hospital */
    } cases[] = {
        {"A", "x", SCREENING__V1__HOSPITAL_STATUS__ACTIVE, NULL},
        {" A ", "x\u3000", SCREENING__V1__HOSPITAL_STATUS__ACTIVE, NULL}, /* stored by an earlier version */
        {"A", "x", SCREENING__V1__HOSPITAL_STATUS__DELETED, "hospital_id: this hospital is deleted"},
        {"B", "x", SCREENING__V1__HOSPITAL_STATUS__ACTIVE,
         "name: a hospital of this id exists with another name"},
        {"A", "y", SCREENING__V1__HOSPITAL_STATUS__ACTIVE,
         "address: a hospital of this id exists with another address"},
    };
    read_plan(HEADER ",A,x,+1,1\n");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Screening__V1__Hospital there;
        struct error error = {.status = STATUS_OK};
        make_there(&there, cases[i].name, cases[i].address);
        there.status = cases[i].status;
        enum status status = import_same_hospital(&result.plan.hospitals[0], &there, &result.arena, &error);
        assert_int_equal(status, cases[i].complaint == NULL ? STATUS_OK : STATUS_INVALID_ARGUMENT);
        assert_string_equal(error.message, cases[i].complaint == NULL ? "" : cases[i].complaint);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_import_plan_lines_of_one_hospital_become_its_days, tear_down),
        cmocka_unit_test_teardown(test_import_plan_empty_id_depends_on_name_and_address_only, tear_down),
        cmocka_unit_test_teardown(test_import_plan_spellings_of_one_name_are_one_hospital, tear_down),
        cmocka_unit_test_teardown(test_import_plan_empty_records_are_skipped, tear_down),
        cmocka_unit_test_teardown(test_import_plan_bad_lines_are_reported_and_the_others_are_kept, tear_down),
        cmocka_unit_test_teardown(test_import_plan_id_with_two_contents_is_reported, tear_down),
        cmocka_unit_test_teardown(test_import_plan_more_days_than_a_hospital_may_have_are_reported,
                                  tear_down),
        cmocka_unit_test_teardown(test_import_plan_other_header_is_refused, tear_down),
        cmocka_unit_test_teardown(test_import_plan_other_encodings_are_reported, tear_down),
        cmocka_unit_test_teardown(test_import_differing_days_are_those_with_another_capacity, tear_down),
        cmocka_unit_test_teardown(test_import_missing_days_are_those_not_there_with_places, tear_down),
        cmocka_unit_test_teardown(test_import_same_hospital_other_content_is_refused, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
