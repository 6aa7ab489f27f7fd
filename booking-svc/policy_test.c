/* Tests how booking-svc reacts to the hospital log. */
#include "policy.h"

#include "base/civil.h"
#include "base/unit_testing.h"

static char hospital_id[] = "01890000-0000-7000-8000-000000000001";

struct sample {
    Screening__V1__Event event;
    Screening__V1__Hospital hospital;
    Google__Protobuf__Timestamp at;
};

static void fill(struct sample *sample, char *type)
{
    screening__v1__event__init(&sample->event);
    screening__v1__hospital__init(&sample->hospital);
    google__protobuf__timestamp__init(&sample->at);
    sample->hospital.hospital_id = hospital_id;
    sample->at.seconds = INT64_C(20788) * 24 * 3600 - 3600; /* 23:00 UTC is the next day in Seoul */
    sample->event.type = type;
    sample->event.occurred_at = &sample->at;
    sample->event.body_case = SCREENING__V1__EVENT__BODY_HOSPITAL;
    sample->event.hospital = &sample->hospital;
}

static void test_policy_deleted_hospital_begins_a_deletion_on_the_clinics_day(void **state)
{
    (void)state;
    struct sample sample;
    struct hospital_deletion deletion;
    struct uuid expected;
    bool reacts;
    fill(&sample, "hospital.deleted");
    assert_int_equal(policy_hospital_event(&sample.event, &reacts, &deletion, NULL), STATUS_OK);
    assert_true(reacts);
    assert_true(uuid_parse(hospital_id, &expected));
    assert_true(uuid_equal(&deletion.hospital_id, &expected));
    assert_int_equal(deletion.day, 20788);
    assert_true(uuid_is_zero(&deletion.next_booking_id));
    assert_false(deletion.done);
}

static void test_policy_other_events_are_ignored(void **state)
{
    (void)state;
    char *types[] = {"hospital.registered", "hospital.capacity_set", "hospital.moved", ""};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct sample sample;
        struct hospital_deletion deletion;
        bool reacts = true;
        fill(&sample, types[i]);
        assert_int_equal(policy_hospital_event(&sample.event, &reacts, &deletion, NULL), STATUS_OK);
        assert_false(reacts);
    }
}

static void test_policy_deletion_that_cannot_be_understood_is_an_error(void **state)
{
    (void)state;
    struct hospital_deletion deletion;
    bool reacts;
    struct sample without_id, without_hospital, without_instant;
    char no_id[] = "x";
    fill(&without_id, "hospital.deleted");
    without_id.hospital.hospital_id = no_id;
    fill(&without_hospital, "hospital.deleted");
    without_hospital.event.body_case = SCREENING__V1__EVENT__BODY__NOT_SET;
    fill(&without_instant, "hospital.deleted");
    without_instant.event.occurred_at = NULL;
    assert_int_equal(policy_hospital_event(&without_id.event, &reacts, &deletion, NULL), STATUS_INTERNAL);
    assert_int_equal(policy_hospital_event(&without_hospital.event, &reacts, &deletion, NULL),
                     STATUS_INTERNAL);
    assert_int_equal(policy_hospital_event(&without_instant.event, &reacts, &deletion, NULL),
                     STATUS_INTERNAL);
    without_instant.event.occurred_at = &without_instant.at;
    without_instant.at.seconds = INT64_MAX; /* a year of more than four digits */
    assert_int_equal(policy_hospital_event(&without_instant.event, &reacts, &deletion, NULL),
                     STATUS_INTERNAL);
}

int main(void)
{
    if (civil_zone_set("Asia/Seoul", NULL) != STATUS_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policy_deleted_hospital_begins_a_deletion_on_the_clinics_day),
        cmocka_unit_test(test_policy_other_events_are_ignored),
        cmocka_unit_test(test_policy_deletion_that_cannot_be_understood_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
