/* Tests the rules of the read model with tables of cases. */
#include "projection.h"

#include <string.h>

#include "base/unit_testing.h"

enum { DAY = 20000 };

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* ---- which events matter ---- */

static void test_projection_event_kind_follows_the_table(void **state)
{
    (void)state;
    static const struct {
        const char *log;
        const char *type;
        enum event_meaning meaning;
        int status;
    } cases[] = {
        {"booking", "booking.requested", EVENT_BOOKING, SCREENING__V1__BOOKING_STATUS__REQUESTED},
        {"booking", "booking.confirmed", EVENT_BOOKING, SCREENING__V1__BOOKING_STATUS__CONFIRMED},
        {"booking", "booking.rejected", EVENT_BOOKING, SCREENING__V1__BOOKING_STATUS__REJECTED},
        {"booking", "booking.cancelled", EVENT_BOOKING, SCREENING__V1__BOOKING_STATUS__CANCELLED},
        {"booking", "booking.force_cancelled", EVENT_BOOKING, SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED},
        {"booking", "booking.released", EVENT_WITHOUT_EFFECT, 0},
        {"hospital", "hospital.registered", EVENT_HOSPITAL_REGISTERED, 0},
        {"hospital", "hospital.deleted", EVENT_HOSPITAL_DELETED, 0},
        {"hospital", "hospital.capacity_set", EVENT_WITHOUT_EFFECT, 0},
        {"booking", "booking.rescheduled", EVENT_UNKNOWN, 0},
        {"booking", "booking.confirmed2", EVENT_UNKNOWN, 0},
        {"booking", "", EVENT_UNKNOWN, 0},
        {"booking", "hospital.deleted", EVENT_UNKNOWN, 0},
        {"hospital", "booking.confirmed", EVENT_UNKNOWN, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct event_kind kind = projection_event_kind(cases[i].log, cases[i].type);
        assert_int_equal(kind.meaning, cases[i].meaning);
        assert_int_equal(kind.status, cases[i].status);
    }
}

/* ---- the version rule ---- */

static void test_projection_moves_only_to_a_higher_version(void **state)
{
    (void)state;
    assert_true(projection_moves(0, 1));
    assert_true(projection_moves(1, 2));
    assert_true(projection_moves(1, 9));
    assert_false(projection_moves(2, 2));
    assert_false(projection_moves(3, 2));
    assert_true(projection_moves((uint64_t)INT64_MAX - 1, INT64_MAX));
}

/* ---- the provisional rule ---- */

static void test_projection_view_follows_the_table(void **state)
{
    (void)state;
    static const struct {
        Screening__V1__BookingStatus stored;
        int32_t day;
        Screening__V1__BookingStatus shown;
        bool deleted, provisional;
    } cases[] = {
        /* A live booking on the day of the deletion or later. */
        {SCREENING__V1__BOOKING_STATUS__REQUESTED, DAY, SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED, true,
         true},
        {SCREENING__V1__BOOKING_STATUS__REQUESTED, DAY + 1, SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED,
         true, true},
        {SCREENING__V1__BOOKING_STATUS__CONFIRMED, DAY, SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED, true,
         true},
        {SCREENING__V1__BOOKING_STATUS__CONFIRMED, DAY + 300, SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED,
         true, true},
        /* The screening took place before the deletion. */
        {SCREENING__V1__BOOKING_STATUS__REQUESTED, DAY - 1, SCREENING__V1__BOOKING_STATUS__REQUESTED, true,
         false},
        {SCREENING__V1__BOOKING_STATUS__CONFIRMED, DAY - 1, SCREENING__V1__BOOKING_STATUS__CONFIRMED, true,
         false},
        /* The booking has ended, so the deletion of the hospital changes nothing. */
        {SCREENING__V1__BOOKING_STATUS__REJECTED, DAY + 1, SCREENING__V1__BOOKING_STATUS__REJECTED, true,
         false},
        {SCREENING__V1__BOOKING_STATUS__CANCELLED, DAY + 1, SCREENING__V1__BOOKING_STATUS__CANCELLED, true,
         false},
        {SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED, DAY + 1,
         SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED, true, false},
        /* The hospital exists, or is not known yet. */
        {SCREENING__V1__BOOKING_STATUS__REQUESTED, DAY, SCREENING__V1__BOOKING_STATUS__REQUESTED, false,
         false},
        {SCREENING__V1__BOOKING_STATUS__CONFIRMED, DAY, SCREENING__V1__BOOKING_STATUS__CONFIRMED, false,
         false},
        {SCREENING__V1__BOOKING_STATUS__REJECTED, DAY, SCREENING__V1__BOOKING_STATUS__REJECTED, false, false},
        {SCREENING__V1__BOOKING_STATUS__CANCELLED, DAY, SCREENING__V1__BOOKING_STATUS__CANCELLED, false,
         false},
        {SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED, DAY, SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED,
         false, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct hospital_deletion deletion = {cases[i].deleted, cases[i].deleted ? DAY : 0};
        struct booking_view view = projection_view(cases[i].stored, cases[i].day, &deletion);
        assert_int_equal(view.status, cases[i].shown);
        assert_int_equal(view.provisional, cases[i].provisional);
    }
}

/* ---- lag ---- */

static void test_projection_lag_counts_only_what_is_not_applied(void **state)
{
    (void)state;
    static const struct {
        uint64_t applied, head;
        int64_t oldest_us, now_us;
        uint64_t lag_ms;
    } cases[] = {
        {0, 0, 0, 9000000, 0},          {5, 5, 1000000, 9000000, 0}, {6, 5, 1000000, 9000000, 0},
        {4, 5, 1000000, 9000000, 8000}, {4, 5, 1000000, 1000999, 0}, {4, 5, 0, 9000000, 0},
        {4, 5, 9000001, 9000000, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(
            projection_lag_ms(cases[i].applied, cases[i].head, cases[i].oldest_us, cases[i].now_us),
            cases[i].lag_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_projection_event_kind_follows_the_table),
        cmocka_unit_test(test_projection_moves_only_to_a_higher_version),
        cmocka_unit_test(test_projection_view_follows_the_table),
        cmocka_unit_test(test_projection_lag_counts_only_what_is_not_applied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
