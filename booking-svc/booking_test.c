/* Tests every state of a booking against every command. */
#include "booking.h"

#include <string.h>

#include "base/unit_testing.h"

#include "screening/v1/words.h"

enum { TODAY = 20000, NOW = 1000 };

static const struct moment AT = {.now_us = NOW, .today = TODAY};
static const struct deletion_mark NO_MARK = {false, 0};
static const struct deletion_mark DELETED_TODAY = {true, TODAY};
static const Screening__V1__BookingStatus ALL[] = {
    SCREENING__V1__BOOKING_STATUS__REQUESTED, SCREENING__V1__BOOKING_STATUS__CONFIRMED,
    SCREENING__V1__BOOKING_STATUS__REJECTED, SCREENING__V1__BOOKING_STATUS__CANCELLED,
    SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED};
enum { STATES = sizeof ALL / sizeof ALL[0] };

static struct booking sample(Screening__V1__BookingStatus status)
{
    return (struct booking){
        .booking_id = {{1}},
        .hospital_id = {{2}},
        .customer_id = "c-1",
        .customer_name = "name",
        .status_reason = "first",
        .day = TODAY + 1,
        .headcount = 2,
        .status = status,
        .created_at_us = 5,
        .updated_at_us = 5,
        .version = 3,
    };
}

static void assert_unchanged(const struct booking *booking, Screening__V1__BookingStatus status)
{
    struct booking before = sample(status);
    assert_int_equal(booking->status, status);
    assert_int_equal(booking->version, before.version);
    assert_int_equal(booking->updated_at_us, before.updated_at_us);
    assert_string_equal(booking->status_reason, before.status_reason);
}

/* Checks the event of a change. If `type` is NULL, there must be no event. */
static void assert_event(struct booking_change change, const char *type)
{
    assert_string_equal(change.event_type != NULL ? change.event_type : "none", type != NULL ? type : "none");
}

static void assert_moved(const struct booking *booking, Screening__V1__BookingStatus to, const char *reason,
                         struct booking_change change, const char *event)
{
    assert_int_equal(booking->status, to);
    assert_string_equal(booking->status_reason, reason);
    assert_int_equal(booking->version, 4);
    assert_int_equal(booking->updated_at_us, NOW);
    assert_int_equal(booking->created_at_us, 5);
    assert_event(change, event);
}

/* ---- create ---- */

static void test_create_unknown_becomes_requested(void **state)
{
    (void)state;
    struct booking request = sample(0), booking;
    struct error error;
    request.day = TODAY;
    assert_int_equal(booking_create(NULL, false, &request, &AUTH_TRUSTED, &AT, &booking, &error), STATUS_OK);
    assert_int_equal(booking.status, SCREENING__V1__BOOKING_STATUS__REQUESTED);
    assert_int_equal(booking.version, 1);
    assert_int_equal(booking.created_at_us, NOW);
    assert_int_equal(booking.updated_at_us, NOW);
    assert_string_equal(booking.status_reason, "");
    assert_false(booking.announced);
}

static void test_create_past_day_is_invalid(void **state)
{
    (void)state;
    struct booking request = sample(0), booking;
    struct error error;
    request.day = TODAY - 1;
    assert_int_equal(booking_create(NULL, false, &request, &AUTH_TRUSTED, &AT, &booking, &error),
                     STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.message, "date: must be today or later");
}

static void test_create_same_content_is_accepted_in_every_state_even_after_its_day(void **state)
{
    (void)state;
    for (size_t i = 0; i < STATES; i++) {
        struct booking existing = sample(ALL[i]), request = sample(0), booking;
        existing.day = request.day = TODAY - 10;
        assert_int_equal(booking_create(&existing, true, &request, &AUTH_TRUSTED, &AT, &booking, NULL),
                         STATUS_OK);
    }
}

static void test_create_same_content_is_accepted_even_if_refused_today(void **state)
{
    (void)state;
    struct booking existing = sample(SCREENING__V1__BOOKING_STATUS__CONFIRMED), request = sample(0), booking;
    struct error error;
    request.refusal = "customer_name: must have a visible character";
    assert_int_equal(booking_create(&existing, true, &request, &AUTH_TRUSTED, &AT, &booking, NULL),
                     STATUS_OK);
    assert_int_equal(booking_create(NULL, false, &request, &AUTH_TRUSTED, &AT, &booking, &error),
                     STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.message, request.refusal);
}

static void test_create_other_content_already_exists_in_every_state(void **state)
{
    (void)state;
    for (size_t i = 0; i < STATES; i++) {
        struct booking existing = sample(ALL[i]), request = sample(0), booking;
        struct error error;
        assert_int_equal(booking_create(&existing, false, &request, &AUTH_TRUSTED, &AT, &booking, &error),
                         STATUS_ALREADY_EXISTS);
    }
}

/* A request that would be refused in any case must not show that the id is in use. */
static void
test_create_with_the_id_of_a_stranger_shows_nothing_before_a_new_booking_could_be_made(void **state)
{
    (void)state;
    const struct auth_caller stranger = {.roles = AUTH_CUSTOMER, .subject = "another"};
    for (size_t i = 0; i < STATES; i++) {
        struct booking existing = sample(ALL[i]), request = sample(0), booking;
        struct error unknown, hidden;
        request.day = TODAY - 1;
        assert_int_equal(booking_create(NULL, false, &request, &stranger, &AT, &booking, &unknown),
                         STATUS_INVALID_ARGUMENT);
        assert_int_equal(booking_create(&existing, false, &request, &stranger, &AT, &booking, &hidden),
                         STATUS_INVALID_ARGUMENT);
        assert_string_equal(hidden.message, unknown.message);
        request.day = TODAY;
        request.refusal = "customer_name: must have a visible character";
        assert_int_equal(booking_create(&existing, false, &request, &stranger, &AT, &booking, &hidden),
                         STATUS_INVALID_ARGUMENT);
        assert_string_equal(hidden.message, request.refusal);
        request.refusal = NULL;
        assert_int_equal(booking_create(&existing, false, &request, &stranger, &AT, &booking, &hidden),
                         STATUS_ALREADY_EXISTS);
    }
}

/* ---- settle ---- */

struct settle_case {
    enum placement_outcome outcome;
    bool queue, by_settler, deleted;
    Screening__V1__BookingStatus to; /* REQUESTED = unchanged */
    const char *reason;
    const char *event; /* NULL = none */
};

static void check_settle(const struct settle_case *c)
{
    struct booking booking = sample(SCREENING__V1__BOOKING_STATUS__REQUESTED);
    booking.queue_if_unavailable = c->queue;
    struct booking_change change = booking_settle(&booking, c->outcome, "SOLD_OUT", c->by_settler,
                                                  c->deleted ? &DELETED_TODAY : &NO_MARK, &AT);
    if (c->to != SCREENING__V1__BOOKING_STATUS__REQUESTED) {
        assert_moved(&booking, c->to, c->reason, change, c->event);
        return;
    }
    assert_unchanged(&booking, SCREENING__V1__BOOKING_STATUS__REQUESTED);
    assert_event(change, c->event);
    assert_int_equal(booking.announced, c->event != NULL);
}

static void test_settle_requested_follows_the_table(void **state)
{
    (void)state;
    const struct settle_case cases[] = {
        {PLACEMENT_GRANTED, false, false, false, SCREENING__V1__BOOKING_STATUS__CONFIRMED, "",
         SCREENING_EVENT_BOOKING_CONFIRMED},
        {PLACEMENT_GRANTED, true, true, false, SCREENING__V1__BOOKING_STATUS__CONFIRMED, "",
         SCREENING_EVENT_BOOKING_CONFIRMED},
        {PLACEMENT_GRANTED, false, false, true, SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED,
         "HOSPITAL_DELETED", SCREENING_EVENT_BOOKING_FORCE_CANCELLED},
        {PLACEMENT_REFUSED, false, false, false, SCREENING__V1__BOOKING_STATUS__REJECTED, "SOLD_OUT",
         SCREENING_EVENT_BOOKING_REJECTED},
        {PLACEMENT_REFUSED, true, true, true, SCREENING__V1__BOOKING_STATUS__REJECTED, "SOLD_OUT",
         SCREENING_EVENT_BOOKING_REJECTED},
        {PLACEMENT_UNKNOWN, false, false, false, SCREENING__V1__BOOKING_STATUS__REJECTED,
         "HOSPITAL_UNAVAILABLE", SCREENING_EVENT_BOOKING_REJECTED},
        {PLACEMENT_UNKNOWN, true, false, false, SCREENING__V1__BOOKING_STATUS__REQUESTED, "",
         SCREENING_EVENT_BOOKING_REQUESTED},
        {PLACEMENT_UNKNOWN, false, true, false, SCREENING__V1__BOOKING_STATUS__REQUESTED, "", NULL},
        {PLACEMENT_UNKNOWN, true, true, false, SCREENING__V1__BOOKING_STATUS__REQUESTED, "", NULL},
        {PLACEMENT_UNKNOWN, false, false, true, SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED,
         "HOSPITAL_DELETED", SCREENING_EVENT_BOOKING_FORCE_CANCELLED},
        {PLACEMENT_UNKNOWN, true, true, true, SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED,
         "HOSPITAL_DELETED", SCREENING_EVENT_BOOKING_FORCE_CANCELLED},
        {PLACEMENT_BUDGET_SPENT, false, false, false, SCREENING__V1__BOOKING_STATUS__REJECTED, "BUDGET_SPENT",
         SCREENING_EVENT_BOOKING_REJECTED},
        {PLACEMENT_BUDGET_SPENT, true, false, false, SCREENING__V1__BOOKING_STATUS__REQUESTED, "",
         SCREENING_EVENT_BOOKING_REQUESTED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_settle(&cases[i]);
}

static void test_settle_any_other_state_changes_nothing_and_releases_a_late_grant(void **state)
{
    (void)state;
    for (size_t i = 1; i < STATES; i++)
        for (int outcome = PLACEMENT_GRANTED; outcome <= PLACEMENT_BUDGET_SPENT; outcome++) {
            struct booking booking = sample(ALL[i]);
            struct booking_change change =
                booking_settle(&booking, (enum placement_outcome)outcome, "X", false, &DELETED_TODAY, &AT);
            bool late = outcome == PLACEMENT_GRANTED && !booking_is_live(ALL[i]);
            assert_event(change, late ? SCREENING_EVENT_BOOKING_RELEASED : NULL);
            assert_unchanged(&booking, ALL[i]);
        }
}

static void test_settle_day_before_the_deletion_is_confirmed(void **state)
{
    (void)state;
    struct booking booking = sample(SCREENING__V1__BOOKING_STATUS__REQUESTED);
    booking.day = TODAY - 1;
    struct booking_change change = booking_settle(&booking, PLACEMENT_GRANTED, "", true, &DELETED_TODAY, &AT);
    assert_moved(&booking, SCREENING__V1__BOOKING_STATUS__CONFIRMED, "", change,
                 SCREENING_EVENT_BOOKING_CONFIRMED);
}

/* ---- resume ---- */

static void test_resume_announces_once(void **state)
{
    (void)state;
    struct booking booking = sample(SCREENING__V1__BOOKING_STATUS__REQUESTED);
    assert_event(booking_resume(&booking, &AT), SCREENING_EVENT_BOOKING_REQUESTED);
    assert_true(booking.announced);
    assert_null(booking_resume(&booking, &AT).event_type);
    assert_unchanged(&booking, SCREENING__V1__BOOKING_STATUS__REQUESTED);
}

static void test_resume_after_its_day_rejects(void **state)
{
    (void)state;
    struct booking booking = sample(SCREENING__V1__BOOKING_STATUS__REQUESTED);
    booking.day = TODAY - 1;
    assert_moved(&booking, SCREENING__V1__BOOKING_STATUS__REJECTED, "DATE_NOT_OPEN",
                 booking_resume(&booking, &AT), SCREENING_EVENT_BOOKING_REJECTED);
}

static void test_resume_any_other_state_changes_nothing(void **state)
{
    (void)state;
    for (size_t i = 1; i < STATES; i++) {
        struct booking booking = sample(ALL[i]);
        booking.day = TODAY - 1;
        assert_null(booking_resume(&booking, &AT).event_type);
        assert_unchanged(&booking, ALL[i]);
    }
}

/* ---- cancel ---- */

static void test_cancel_live_is_cancelled_with_its_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct booking booking = sample(ALL[i]);
        struct booking_change change;
        booking.day = TODAY;
        assert_int_equal(booking_cancel(&booking, &AUTH_TRUSTED, "changed plans", &AT, &change, NULL),
                         STATUS_OK);
        assert_moved(&booking, SCREENING__V1__BOOKING_STATUS__CANCELLED, "changed plans", change,
                     SCREENING_EVENT_BOOKING_CANCELLED);
    }
}

static void test_cancel_again_keeps_the_first_reason_even_after_its_day(void **state)
{
    (void)state;
    struct booking booking = sample(SCREENING__V1__BOOKING_STATUS__CANCELLED);
    struct booking_change change;
    booking.day = TODAY - 5;
    assert_int_equal(booking_cancel(&booking, &AUTH_TRUSTED, "second", &AT, &change, NULL), STATUS_OK);
    assert_null(change.event_type);
    assert_unchanged(&booking, SCREENING__V1__BOOKING_STATUS__CANCELLED);
}

static void test_cancel_rejected_or_forced_is_final(void **state)
{
    (void)state;
    const Screening__V1__BookingStatus finals[] = {SCREENING__V1__BOOKING_STATUS__REJECTED,
                                                   SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED};
    for (size_t i = 0; i < 2; i++) {
        struct booking booking = sample(finals[i]);
        struct booking_change change;
        struct error error;
        assert_int_equal(booking_cancel(&booking, &AUTH_TRUSTED, "x", &AT, &change, &error),
                         STATUS_FAILED_PRECONDITION);
        assert_string_equal(error.reason, "BOOKING_FINAL");
        assert_unchanged(&booking, finals[i]);
    }
}

static void test_cancel_live_after_its_day_has_passed(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct booking booking = sample(ALL[i]);
        struct booking_change change;
        struct error error;
        booking.day = TODAY - 1;
        assert_int_equal(booking_cancel(&booking, &AUTH_TRUSTED, "x", &AT, &change, &error),
                         STATUS_FAILED_PRECONDITION);
        assert_string_equal(error.reason, "DATE_PASSED");
        assert_unchanged(&booking, ALL[i]);
    }
}

/* ---- force-cancel ---- */

static void test_force_cancel_live_of_the_day_or_later(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct booking booking = sample(ALL[i]);
        booking.day = TODAY;
        struct booking_change change = booking_force_cancel(&booking, &DELETED_TODAY, &AT);
        assert_moved(&booking, SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED, "HOSPITAL_DELETED", change,
                     SCREENING_EVENT_BOOKING_FORCE_CANCELLED);
    }
}

static void test_force_cancel_earlier_or_final_changes_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < STATES; i++) {
        struct booking booking = sample(ALL[i]);
        booking.day = i < 2 ? TODAY - 1 : TODAY;
        assert_null(booking_force_cancel(&booking, &DELETED_TODAY, &AT).event_type);
        assert_unchanged(&booking, ALL[i]);
    }
}

/* ---- abandon ---- */

static void test_abandon_unknown_becomes_rejected_without_a_customer(void **state)
{
    (void)state;
    const struct booking place = {
        .booking_id = {{1}}, .hospital_id = {{2}}, .day = TODAY - 9, .headcount = 2};
    struct booking booking;
    struct booking_change change = booking_abandon(NULL, &place, &AT, &booking);
    assert_event(change, SCREENING_EVENT_BOOKING_REJECTED);
    assert_int_equal(booking.status, SCREENING__V1__BOOKING_STATUS__REJECTED);
    assert_string_equal(booking.status_reason, "ABANDONED");
    assert_int_equal(booking.version, 2);
    assert_false(booking.announced);
    assert_string_equal(booking.customer_id, "");
    assert_int_equal(booking.headcount, 2);
    assert_int_equal(booking.created_at_us, NOW);

    /* Any request with the id gets the abandoned booking. Abandoning it again has no effect. */
    struct booking request = sample(0), made;
    struct error error = {0};
    assert_int_equal(booking_create(&booking, false, &request, &AUTH_TRUSTED, &AT, &made, &error), STATUS_OK);
    assert_null(booking_abandon(&booking, &place, &AT, &made).event_type);
}

/* Its customer, whom nobody knows any more, gets the same answer whenever the request is repeated. */
static void test_abandoned_booking_has_the_same_answer_after_its_day(void **state)
{
    (void)state;
    const struct auth_caller customer = {.roles = AUTH_CUSTOMER, .subject = "c-1"};
    const struct moment later = {.now_us = NOW, .today = TODAY + 9};
    struct booking lost = sample(0), booking, made;
    struct error error = {0};
    (void)booking_abandon(NULL, &lost, &AT, &booking);
    for (int i = 0; i < 4; i++) {
        struct booking request = sample(0);
        request.refusal = i == 1 ? "customer_name: must have a visible character" : NULL;
        request.headcount += i == 2;
        request.hospital_id.bytes[0] = i == 3 ? 3 : 2;
        const bool is_lost = i < 2;
        assert_int_equal(booking_create(&booking, false, &request, &customer, &later, &made, &error),
                         is_lost ? STATUS_OK : STATUS_INVALID_ARGUMENT);
    }
    /* Who asks for another place must not learn that the id is in use. */
    assert_string_equal(error.message, "date: must be today or later");
}

static void test_abandon_existing_booking_wins_and_an_ended_one_is_released(void **state)
{
    (void)state;
    for (size_t i = 0; i < STATES; i++) {
        struct booking booking = sample(ALL[i]), made;
        struct booking_change change = booking_abandon(&booking, &booking, &AT, &made);
        assert_event(change, booking_is_live(ALL[i]) ? NULL : SCREENING_EVENT_BOOKING_RELEASED);
        assert_unchanged(&booking, ALL[i]);
    }
}

/* ---- answers to the client ---- */

static void test_rejection_carries_the_reason(void **state)
{
    (void)state;
    const char *reasons[] = {"SOLD_OUT", "HOSPITAL_NOT_FOUND",   "HOSPITAL_DELETED", "DATE_NOT_OPEN",
                             "RELEASED", "HOSPITAL_UNAVAILABLE", "BUDGET_SPENT",     "REFUSED",
                             "ABANDONED"};
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        struct booking booking = sample(SCREENING__V1__BOOKING_STATUS__REJECTED);
        struct error error;
        booking.status_reason = reasons[i];
        assert_int_equal(booking_rejection(&booking, 0, &error), STATUS_FAILED_PRECONDITION);
        assert_int_equal(error.status, STATUS_FAILED_PRECONDITION);
        assert_string_equal(error.reason, reasons[i]);
        assert_true(error.message[0] != '\0');
        assert_int_equal(error.retry_after_ms != 0, strcmp(reasons[i], "HOSPITAL_UNAVAILABLE") == 0);
    }
}

static void test_rejection_says_when_hospital_svc_is_called_again(void **state)
{
    (void)state;
    struct booking booking = sample(SCREENING__V1__BOOKING_STATUS__REJECTED);
    struct error error;
    booking.status_reason = "HOSPITAL_UNAVAILABLE";
    (void)booking_rejection(&booking, 4321, &error);
    assert_int_equal(error.retry_after_ms, 4321);
    booking.status_reason = "SOLD_OUT";
    (void)booking_rejection(&booking, 4321, &error);
    assert_int_equal(error.retry_after_ms, 0);
}

static void test_cancel_by_another_person_finds_no_booking(void **state)
{
    (void)state;
    struct booking booking = sample(SCREENING__V1__BOOKING_STATUS__CONFIRMED);
    struct booking_change change;
    struct error error;
    const struct uuid other = {{9}};
    const struct auth_caller customer = {.roles = AUTH_CUSTOMER, .subject = "another"};
    const struct auth_caller staff = {
        .roles = AUTH_STAFF, .subject = booking.customer_id, .scope = &other, .scope_count = 1};
    const struct auth_caller own = {.roles = AUTH_CUSTOMER, .subject = booking.customer_id};
    const struct auth_caller clinic = {
        .roles = AUTH_STAFF, .subject = "staff", .scope = &booking.hospital_id, .scope_count = 1};
    const struct auth_caller *const strangers[] = {&customer, &staff, &AUTH_ANONYMOUS};
    for (size_t i = 0; i < sizeof strangers / sizeof strangers[0]; i++) {
        assert_int_equal(booking_cancel(&booking, strangers[i], "x", &AT, &change, &error), STATUS_NOT_FOUND);
        assert_string_equal(error.message, "booking_id: there is no such booking");
        assert_null(change.event_type);
        assert_true(booking_is_live(booking.status));
    }
    assert_int_equal(booking_cancel(&booking, &clinic, "x", &AT, &change, &error), STATUS_OK);
    booking = sample(SCREENING__V1__BOOKING_STATUS__CONFIRMED);
    assert_int_equal(booking_cancel(&booking, &own, "x", &AT, &change, &error), STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create_unknown_becomes_requested),
        cmocka_unit_test(test_create_past_day_is_invalid),
        cmocka_unit_test(test_create_same_content_is_accepted_in_every_state_even_after_its_day),
        cmocka_unit_test(test_create_same_content_is_accepted_even_if_refused_today),
        cmocka_unit_test(test_create_other_content_already_exists_in_every_state),
        cmocka_unit_test(
            test_create_with_the_id_of_a_stranger_shows_nothing_before_a_new_booking_could_be_made),
        cmocka_unit_test(test_settle_requested_follows_the_table),
        cmocka_unit_test(test_settle_any_other_state_changes_nothing_and_releases_a_late_grant),
        cmocka_unit_test(test_settle_day_before_the_deletion_is_confirmed),
        cmocka_unit_test(test_resume_announces_once),
        cmocka_unit_test(test_resume_after_its_day_rejects),
        cmocka_unit_test(test_resume_any_other_state_changes_nothing),
        cmocka_unit_test(test_cancel_live_is_cancelled_with_its_reason),
        cmocka_unit_test(test_cancel_again_keeps_the_first_reason_even_after_its_day),
        cmocka_unit_test(test_cancel_rejected_or_forced_is_final),
        cmocka_unit_test(test_cancel_live_after_its_day_has_passed),
        cmocka_unit_test(test_cancel_by_another_person_finds_no_booking),
        cmocka_unit_test(test_force_cancel_live_of_the_day_or_later),
        cmocka_unit_test(test_force_cancel_earlier_or_final_changes_nothing),
        cmocka_unit_test(test_abandon_unknown_becomes_rejected_without_a_customer),
        cmocka_unit_test(test_abandoned_booking_has_the_same_answer_after_its_day),
        cmocka_unit_test(test_abandon_existing_booking_wins_and_an_ended_one_is_released),
        cmocka_unit_test(test_rejection_carries_the_reason),
        cmocka_unit_test(test_rejection_says_when_hospital_svc_is_called_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
