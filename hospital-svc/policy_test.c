#include "policy.h"

#include <string.h>

#include "base/civil.h"
#include "base/unit_testing.h"

static const char BOOKING[] = "01890000-0000-7000-8000-000000000001";
static const char HOSPITAL[] = "01890000-0000-7000-8000-000000000002";

struct sample {
    Screening__V1__Booking booking;
    Screening__V1__Event event;
};

static void fill(struct sample *sample, const char *type)
{
    sample->booking = (Screening__V1__Booking)SCREENING__V1__BOOKING__INIT;
    sample->booking.booking_id = (char *)BOOKING;
    sample->booking.hospital_id = (char *)HOSPITAL;
    sample->booking.date = (char *)"2026-12-01";
    sample->event = (Screening__V1__Event)SCREENING__V1__EVENT__INIT;
    sample->event.seq = 12;
    sample->event.type = (char *)type;
    sample->event.body_case = SCREENING__V1__EVENT__BODY_BOOKING;
    sample->event.booking = &sample->booking;
}

static void test_policy_releases_exactly_what_has_ended(void **state)
{
    (void)state;
    static const char *const TYPES[] = {"booking.requested", "booking.confirmed", "booking.cancelled",
                                        "booking.rejected",  "booking.moved",     "booking.force_cancelled",
                                        "booking.released"};
    enum { COUNT = sizeof TYPES / sizeof TYPES[0] };
    struct sample samples[COUNT];
    Screening__V1__Event *events[COUNT];
    struct release releases[COUNT];
    size_t released;
    for (size_t i = 0; i < COUNT; i++) {
        fill(&samples[i], TYPES[i]);
        events[i] = &samples[i].event;
    }
    assert_int_equal(policy_releases(events, COUNT, false, releases, &released, NULL), STATUS_OK);
    assert_int_equal(released, 4);
    for (size_t i = 0; i < released; i++) {
        char text[UUID_TEXT_SIZE];
        char date[CIVIL_TEXT_SIZE];
        assert_string_equal(uuid_format(&releases[i].booking_id, text), BOOKING);
        assert_string_equal(uuid_format(&releases[i].hospital_id, text), HOSPITAL);
        assert_string_equal(civil_format(releases[i].date, date), "2026-12-01");
    }
}

static void test_policy_ending_without_its_required_fields_is_internal(void **state)
{
    (void)state;
    for (int fault = 0; fault < 4; fault++) {
        struct sample sample;
        Screening__V1__Event *event = &sample.event;
        struct release release;
        size_t released = 0;
        struct error error;
        fill(&sample, "booking.cancelled");
        if (fault == 0)
            sample.booking.booking_id = (char *)"x";
        else if (fault == 1)
            sample.booking.hospital_id = (char *)"";
        else if (fault == 2)
            sample.booking.date = (char *)"2026-02-30";
        else
            sample.event.body_case = SCREENING__V1__EVENT__BODY__NOT_SET;
        assert_int_equal(policy_releases(&event, 1, false, &release, &released, &error), STATUS_INTERNAL);
        assert_non_null(strstr(error.message, "event 12 (booking.cancelled)"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policy_releases_exactly_what_has_ended),
        cmocka_unit_test(test_policy_ending_without_its_required_fields_is_internal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
