/* Tests the rows that events produce, and the events that are refused. */
#include "policy.h"

#include <string.h>

#include "base/civil.h"
#include "base/unit_testing.h"

static char BOOKING_ID[] = "018f0000-0000-7000-8000-000000000001";
static char HOSPITAL_ID[] = "018f0000-0000-7000-8000-000000000002";
static char EVENT_ID[] = "018f0000-0000-7000-8000-000000000003";

/* A valid event, and the messages to which it points. The tests then corrupt the event. */
struct fixture {
    Screening__V1__Event event;
    Screening__V1__Booking booking;
    Screening__V1__Hospital hospital;
    Google__Protobuf__Timestamp occurred_at, created_at, updated_at;
};

static void fill_common(struct fixture *fixture, char *type)
{
    screening__v1__event__init(&fixture->event);
    google__protobuf__timestamp__init(&fixture->occurred_at);
    fixture->occurred_at.seconds = 100;
    fixture->occurred_at.nanos = 2000;
    fixture->created_at = fixture->updated_at = fixture->occurred_at;
    fixture->created_at.seconds = 90;
    fixture->event.seq = 7;
    fixture->event.event_id = EVENT_ID;
    fixture->event.type = type;
    fixture->event.occurred_at = &fixture->occurred_at;
}

static void fill_booking_event(struct fixture *fixture)
{
    static char type[] = "booking.cancelled", customer[] = "c-1", name[] = "name", date[] = "2026-12-01",
                reason[] = "ill";
    fill_common(fixture, type);
    screening__v1__booking__init(&fixture->booking);
    fixture->booking.booking_id = BOOKING_ID;
    fixture->booking.customer_id = customer;
    fixture->booking.customer_name = name;
    fixture->booking.hospital_id = HOSPITAL_ID;
    fixture->booking.date = date;
    fixture->booking.headcount = 2;
    fixture->booking.status = SCREENING__V1__BOOKING_STATUS__CANCELLED;
    fixture->booking.status_reason = reason;
    fixture->booking.created_at = &fixture->created_at;
    fixture->booking.updated_at = &fixture->updated_at;
    fixture->booking.version = 3;
    fixture->event.body_case = SCREENING__V1__EVENT__BODY_BOOKING;
    fixture->event.booking = &fixture->booking;
}

static void fill_hospital_event(struct fixture *fixture, char *type)
{
    static char name[] = "Clinic", address[] = "Seoul";
    fill_common(fixture, type);
    screening__v1__hospital__init(&fixture->hospital);
    fixture->hospital.hospital_id = HOSPITAL_ID;
    fixture->hospital.name = name;
    fixture->hospital.address = address;
    fixture->event.body_case = SCREENING__V1__EVENT__BODY_HOSPITAL;
    fixture->event.hospital = &fixture->hospital;
}

static void test_history_policy_booking_event_becomes_a_booking_and_an_entry(void **state)
{
    (void)state;
    struct fixture fixture;
    struct reaction reaction;
    struct error error;
    char text[UUID_TEXT_SIZE], date[CIVIL_TEXT_SIZE];
    fill_booking_event(&fixture);
    assert_int_equal(policy_react("booking", &fixture.event, &reaction, &error), STATUS_OK);
    assert_int_equal(reaction.meaning, EVENT_BOOKING);
    assert_string_equal(uuid_format(&reaction.booking.booking_id, text), BOOKING_ID);
    assert_string_equal(uuid_format(&reaction.booking.hospital_id, text), HOSPITAL_ID);
    assert_string_equal(civil_format(reaction.booking.day, date), "2026-12-01");
    assert_string_equal(reaction.booking.message.customer_id, "c-1");
    assert_string_equal(reaction.booking.message.customer_name, "name");
    assert_string_equal(reaction.booking.message.status_reason, "ill");
    assert_int_equal(reaction.booking.message.headcount, 2);
    assert_int_equal(reaction.booking.message.status, SCREENING__V1__BOOKING_STATUS__CANCELLED);
    assert_int_equal(reaction.booking.created_at_us, 90000002);
    assert_int_equal(reaction.booking.updated_at_us, 100000002);
    assert_int_equal(reaction.booking.message.version, 3);
    assert_string_equal(uuid_format(&reaction.entry.event_id, text), EVENT_ID);
    assert_string_equal(uuid_format(&reaction.entry.booking_id, text), BOOKING_ID);
    assert_string_equal(reaction.entry.source, "booking");
    assert_string_equal(reaction.entry.reason, "ill");
    assert_int_equal(reaction.entry.status, SCREENING__V1__BOOKING_STATUS__CANCELLED);
    assert_int_equal(reaction.entry.occurred_at_us, 100000002);
    assert_int_equal(reaction.entry.version, 3);
    assert_int_equal(reaction.entry.seq, 7);
}

static void assert_malformed(const struct fixture *fixture, const char *log)
{
    struct reaction reaction;
    struct error error;
    assert_int_equal(policy_react(log, &fixture->event, &reaction, &error), STATUS_INTERNAL);
    assert_true(strncmp(error.message, fixture->event.type, strlen(fixture->event.type)) == 0);
}

static void test_history_policy_corrupt_booking_event_is_internal(void **state)
{
    (void)state;
    static char no_id[] = "x", no_date[] = "2026-02-30";
    for (int spoil = 0; spoil < 13; spoil++) {
        struct fixture fixture;
        fill_booking_event(&fixture);
        switch (spoil) {
        case 0:
            fixture.event.body_case = SCREENING__V1__EVENT__BODY__NOT_SET;
            break;
        case 1:
            fixture.booking.booking_id = no_id;
            break;
        case 2:
            fixture.booking.hospital_id = no_id;
            break;
        case 3:
            fixture.booking.date = no_date;
            break;
        case 4:
            fixture.booking.version = 0;
            break;
        case 5:
            fixture.booking.version = (uint64_t)INT64_MAX + 1;
            break;
        case 6:
            fixture.booking.status = SCREENING__V1__BOOKING_STATUS__CONFIRMED;
            break;
        case 7:
            fixture.booking.created_at = NULL;
            break;
        case 8:
            fixture.updated_at.seconds = INT64_MAX;
            break;
        case 9:
            fixture.event.occurred_at = NULL;
            break;
        case 10:
            fixture.occurred_at.nanos = -1;
            break;
        case 11:
            fixture.event.event_id = no_id;
            break;
        default:
            fixture.booking.headcount = UINT32_MAX;
            break;
        }
        assert_malformed(&fixture, "booking");
    }
}

static void test_history_policy_hospital_registered_gives_its_name(void **state)
{
    (void)state;
    static char type[] = "hospital.registered";
    struct fixture fixture;
    struct reaction reaction;
    struct error error;
    fill_hospital_event(&fixture, type);
    assert_int_equal(policy_react("hospital", &fixture.event, &reaction, &error), STATUS_OK);
    assert_int_equal(reaction.meaning, EVENT_HOSPITAL_REGISTERED);
    assert_string_equal(reaction.hospital.name, "Clinic");
    assert_string_equal(reaction.hospital.address, "Seoul");
    assert_false(reaction.hospital.deletion.deleted);
}

static void test_history_policy_hospital_deleted_counts_from_its_civil_day(void **state)
{
    (void)state;
    static char type[] = "hospital.deleted";
    struct fixture fixture;
    struct reaction reaction;
    struct error error;
    fill_hospital_event(&fixture, type);
    fixture.occurred_at.seconds = 1796050800; /* 2026-11-30T15:00:00Z: midnight in Seoul */
    fixture.occurred_at.nanos = 0;
    assert_int_equal(policy_react("hospital", &fixture.event, &reaction, &error), STATUS_OK);
    assert_int_equal(reaction.meaning, EVENT_HOSPITAL_DELETED);
    assert_true(reaction.hospital.deletion.deleted);
    int32_t first_of_december;
    assert_true(civil_parse("2026-12-01", &first_of_december));
    assert_int_equal(reaction.hospital.deletion.day, first_of_december);
    assert_int_equal(reaction.hospital.deleted_at_us, INT64_C(1796050800000000));
    fixture.occurred_at.seconds--;
    assert_int_equal(policy_react("hospital", &fixture.event, &reaction, &error), STATUS_OK);
    assert_int_equal(reaction.hospital.deletion.day, first_of_december - 1);
}

static void test_history_policy_corrupt_hospital_event_is_internal(void **state)
{
    (void)state;
    static char type[] = "hospital.deleted", no_id[] = "";
    struct fixture fixture;
    fill_hospital_event(&fixture, type);
    fixture.event.body_case = SCREENING__V1__EVENT__BODY__NOT_SET;
    assert_malformed(&fixture, "hospital");
    fill_hospital_event(&fixture, type);
    fixture.hospital.hospital_id = no_id;
    assert_malformed(&fixture, "hospital");
    fill_hospital_event(&fixture, type);
    fixture.event.occurred_at = NULL;
    assert_malformed(&fixture, "hospital");
}

static void test_history_policy_unknown_type_is_no_failure(void **state)
{
    (void)state;
    static char type[] = "hospital.renamed";
    struct fixture fixture;
    struct reaction reaction;
    struct error error;
    fill_common(&fixture, type);
    assert_int_equal(policy_react("hospital", &fixture.event, &reaction, &error), STATUS_OK);
    assert_int_equal(reaction.meaning, EVENT_UNKNOWN);
}

int main(void)
{
    struct error error;
    if (civil_zone_set("Asia/Seoul", &error) != STATUS_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_history_policy_booking_event_becomes_a_booking_and_an_entry),
        cmocka_unit_test(test_history_policy_corrupt_booking_event_is_internal),
        cmocka_unit_test(test_history_policy_hospital_registered_gives_its_name),
        cmocka_unit_test(test_history_policy_hospital_deleted_counts_from_its_civil_day),
        cmocka_unit_test(test_history_policy_corrupt_hospital_event_is_internal),
        cmocka_unit_test(test_history_policy_unknown_type_is_no_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
