/* Tests DeleteHospital, Reserve, release and reinstate: every state against every command. */
#include "hospital_testing.h"

#include <string.h>

/* ---- DeleteHospital ---- */

static void test_delete_every_state(void **state)
{
    (void)state;
    static const struct {
        enum hospital_state before;
        enum status status;
        bool changed;
        enum hospital_state after;
    } CASES[] = {
        {HOSPITAL_NONE, STATUS_NOT_FOUND, false, HOSPITAL_NONE},
        {HOSPITAL_ACTIVE, STATUS_OK, true, HOSPITAL_DELETED},
        {HOSPITAL_DELETED, STATUS_OK, false, HOSPITAL_DELETED},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct hospital hospital = hospital_in(CASES[i].before);
        bool changed = false;
        assert_int_equal(hospital_delete(&hospital, &changed, NULL), CASES[i].status);
        assert_int_equal(changed, CASES[i].changed);
        assert_int_equal(hospital.state, CASES[i].after);
    }
}

/* ---- Reserve ---- */

static const struct reserve RESERVE = {
    .booking_id = {{2}}, .hospital_id = {{1}}, .date = TODAY + 1, .headcount = 3};

static struct reservation reservation_in(enum reservation_state state)
{
    struct reservation reservation = {.booking_id = BOOKING_ID};
    if (state != RESERVATION_NONE) {
        reservation = (struct reservation){.booking_id = BOOKING_ID,
                                           .hospital_id = HOSPITAL_ID,
                                           .date = TODAY + 1,
                                           .headcount = state == RESERVATION_TOMBSTONE ? 0 : 3,
                                           .state = state};
    }
    return reservation;
}

static void test_reserve_every_case_without_a_grant(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum hospital_state hospital;
        uint32_t capacity, remaining;
        uint32_t version;
        int32_t today;
        enum reserve_outcome expected;
    } CASES[] = {
        {"room", HOSPITAL_ACTIVE, 10, 10, 1, TODAY, RESERVE_GRANTED},
        {"just enough", HOSPITAL_ACTIVE, 10, 3, 1, TODAY, RESERVE_GRANTED},
        {"not enough", HOSPITAL_ACTIVE, 10, 2, 1, TODAY, RESERVE_SOLD_OUT},
        {"nothing left", HOSPITAL_ACTIVE, 10, 0, 1, TODAY, RESERVE_SOLD_OUT},
        {"closed", HOSPITAL_ACTIVE, 0, 0, 2, TODAY, RESERVE_DATE_NOT_OPEN},
        {"never opened", HOSPITAL_ACTIVE, 0, 0, 0, TODAY, RESERVE_DATE_NOT_OPEN},
        {"today", HOSPITAL_ACTIVE, 10, 10, 1, TODAY + 1, RESERVE_GRANTED},
        {"yesterday", HOSPITAL_ACTIVE, 10, 10, 1, TODAY + 2, RESERVE_DATE_NOT_OPEN},
        {"yesterday, sold out", HOSPITAL_ACTIVE, 10, 0, 1, TODAY + 2, RESERVE_DATE_NOT_OPEN},
        {"deleted", HOSPITAL_DELETED, 10, 10, 1, TODAY, RESERVE_HOSPITAL_DELETED},
        {"deleted, yesterday", HOSPITAL_DELETED, 10, 10, 1, TODAY + 2, RESERVE_HOSPITAL_DELETED},
        {"unknown", HOSPITAL_NONE, 0, 0, 0, TODAY, RESERVE_HOSPITAL_NOT_FOUND},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const struct hospital hospital = hospital_in(CASES[i].hospital);
        struct screening_day day = day_with(CASES[i].capacity, CASES[i].remaining, CASES[i].version);
        struct reservation reservation = reservation_in(RESERVATION_NONE);
        const bool granted = CASES[i].expected == RESERVE_GRANTED;
        print_message("case: %s\n", CASES[i].name);
        assert_int_equal(hospital_reserve(&hospital, &day, &reservation, &RESERVE, CASES[i].today),
                         CASES[i].expected);
        assert_day(&day, CASES[i].capacity, CASES[i].remaining - (granted ? RESERVE.headcount : 0),
                   CASES[i].version);
        assert_int_equal(reservation.state, granted ? RESERVATION_LIVE : RESERVATION_NONE);
        assert_int_equal(reservation.headcount, granted ? RESERVE.headcount : 0);
    }
}

/* The state of the hospital and the current date do not matter. */
static void test_reserve_known_booking_depends_on_its_reservation_only(void **state)
{
    (void)state;
    struct reserve other_hospital = RESERVE, other_date = RESERVE, other_headcount = RESERVE;
    other_hospital.hospital_id.bytes[15] = 1;
    other_date.date++;
    other_headcount.headcount++;
    const struct {
        const struct reserve *command;
        enum reservation_state state;
        enum reserve_outcome expected;
    } CASES[] = {
        {&RESERVE, RESERVATION_LIVE, RESERVE_REPEATED},
        {&other_hospital, RESERVATION_LIVE, RESERVE_OTHER_CONTENT},
        {&other_date, RESERVATION_LIVE, RESERVE_OTHER_CONTENT},
        {&other_headcount, RESERVATION_LIVE, RESERVE_OTHER_CONTENT},
        {&RESERVE, RESERVATION_RELEASED, RESERVE_RELEASED},
        {&other_date, RESERVATION_RELEASED, RESERVE_RELEASED},
        {&RESERVE, RESERVATION_TOMBSTONE, RESERVE_RELEASED},
    };
    static const enum hospital_state HOSPITALS[] = {HOSPITAL_NONE, HOSPITAL_ACTIVE, HOSPITAL_DELETED};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        for (size_t h = 0; h < sizeof HOSPITALS / sizeof HOSPITALS[0]; h++) {
            for (int32_t today = TODAY; today <= TODAY + 2; today += 2) {
                const struct hospital hospital = hospital_in(HOSPITALS[h]);
                struct screening_day day = day_with(10, 7, 1);
                struct reservation reservation = reservation_in(CASES[i].state);
                assert_int_equal(hospital_reserve(&hospital, &day, &reservation, CASES[i].command, today),
                                 CASES[i].expected);
                assert_day(&day, 10, 7, 1);
                assert_int_equal(reservation.state, CASES[i].state);
            }
        }
    }
}

static void test_reserve_answer_every_outcome_has_its_code(void **state)
{
    (void)state;
    static const struct {
        enum reserve_outcome outcome;
        enum status status;
        const char *reason;
    } CASES[] = {
        {RESERVE_GRANTED, STATUS_OK, ""},
        {RESERVE_REPEATED, STATUS_OK, ""},
        {RESERVE_MALFORMED, STATUS_INVALID_ARGUMENT, ""},
        {RESERVE_OTHER_CONTENT, STATUS_ALREADY_EXISTS, ""},
        {RESERVE_RELEASED, STATUS_FAILED_PRECONDITION, "RELEASED"},
        {RESERVE_HOSPITAL_NOT_FOUND, STATUS_FAILED_PRECONDITION, "HOSPITAL_NOT_FOUND"},
        {RESERVE_HOSPITAL_DELETED, STATUS_FAILED_PRECONDITION, "HOSPITAL_DELETED"},
        {RESERVE_DATE_NOT_OPEN, STATUS_FAILED_PRECONDITION, "DATE_NOT_OPEN"},
        {RESERVE_SOLD_OUT, STATUS_FAILED_PRECONDITION, "SOLD_OUT"},
    };
    assert_int_equal(sizeof CASES / sizeof CASES[0], RESERVE_OUTCOME_COUNT);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const struct reserve_answer *answer = reserve_answer(CASES[i].outcome);
        assert_int_equal(answer->status, CASES[i].status);
        assert_string_equal(answer->reason, CASES[i].reason);
    }
}

/* ---- release ---- */

static void test_release_every_state(void **state)
{
    (void)state;
    static const struct {
        enum reservation_state before;
        enum release_outcome expected;
        enum reservation_state after;
        uint32_t remaining_after;
    } CASES[] = {
        {RESERVATION_LIVE, RELEASE_FREED, RESERVATION_RELEASED, 10},
        {RESERVATION_NONE, RELEASE_TOMBSTONE, RESERVATION_TOMBSTONE, 7},
        {RESERVATION_RELEASED, RELEASE_NOTHING, RESERVATION_RELEASED, 7},
        {RESERVATION_TOMBSTONE, RELEASE_NOTHING, RESERVATION_TOMBSTONE, 7},
    };
    const struct release command = {.booking_id = BOOKING_ID, .hospital_id = HOSPITAL_ID, .date = TODAY + 1};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct screening_day day = day_with(10, 7, 1);
        struct reservation reservation = reservation_in(CASES[i].before);
        assert_int_equal(hospital_release(&reservation, &day, &command), CASES[i].expected);
        assert_int_equal(reservation.state, CASES[i].after);
        assert_true(uuid_equal(&reservation.hospital_id, &HOSPITAL_ID));
        assert_int_equal(reservation.date, TODAY + 1);
        assert_day(&day, 10, CASES[i].remaining_after, 1);
    }
}

/*
 * The day has capacity 10 and 13 reserved places. Each release lowers `reserved`. The day grants places again
 * once `reserved` is below 10.
 */
static void test_release_overcommitted_day_sells_nothing_before_it_fits(void **state)
{
    (void)state;
    const struct hospital hospital = hospital_in(HOSPITAL_ACTIVE);
    struct screening_day day = day_with(10, 0, 1);
    day.reserved = 13;
    const struct release release = {.booking_id = BOOKING_ID, .hospital_id = HOSPITAL_ID, .date = TODAY + 1};
    struct reserve reserve = RESERVE;
    reserve.headcount = 1;
    for (uint32_t freed = 1; freed <= 4; freed++) {
        struct reservation live = reservation_in(RESERVATION_LIVE);
        struct reservation wanted = reservation_in(RESERVATION_NONE);
        live.headcount = 1;
        assert_int_equal(hospital_release(&live, &day, &release), RELEASE_FREED);
        assert_int_equal(day.reserved, 13 - freed);
        assert_int_equal(screening_day_remaining(&day), freed > 3 ? freed - 3 : 0);
        if (freed <= 3)
            assert_int_equal(hospital_reserve(&hospital, &day, &wanted, &reserve, TODAY), RESERVE_SOLD_OUT);
    }
}

/* ---- reinstate ---- */

static void test_reinstate_every_state(void **state)
{
    (void)state;
    struct reserve other = RESERVE;
    other.headcount++;
    const struct {
        enum reservation_state before;
        const struct reserve *command;
        enum reinstate_outcome expected;
    } CASES[] = {
        {RESERVATION_NONE, &RESERVE, REINSTATE_TAKEN},
        {RESERVATION_RELEASED, &RESERVE, REINSTATE_TAKEN},
        {RESERVATION_TOMBSTONE, &RESERVE, REINSTATE_TAKEN},
        {RESERVATION_LIVE, &RESERVE, REINSTATE_LIVE},
        {RESERVATION_LIVE, &other, REINSTATE_OTHER_CONTENT},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const bool taken = CASES[i].expected == REINSTATE_TAKEN;
        struct screening_day day = day_with(2, 0, 0); /* full, and never opened */
        struct reservation reservation = reservation_in(CASES[i].before);
        if (CASES[i].before == RESERVATION_TOMBSTONE)
            reservation.headcount = 0;
        assert_int_equal(hospital_reinstate(&reservation, &day, CASES[i].command), CASES[i].expected);
        assert_int_equal(reservation.state, RESERVATION_LIVE);
        assert_int_equal(reservation.headcount, RESERVE.headcount);
        assert_int_equal(reservation.date, RESERVE.date);
        assert_int_equal(day.reserved, 2 + (taken ? RESERVE.headcount : 0));
        assert_day(&day, 2, 0, 0);
    }
}

/* Checks G1 over a sequence of pseudo-random commands: `reserved` always equals the places of the live
 * reservations, and exceeds the capacity only after a reinstatement. */
static void test_rules_any_sequence_keeps_the_places_balanced(void **state)
{
    (void)state;
    enum { BOOKINGS = 40, STEPS = 20000 };
    const struct hospital hospital = hospital_in(HOSPITAL_ACTIVE);
    struct screening_day day = day_with(30, 30, 1);
    struct reservation reservations[BOOKINGS];
    uint32_t random = 1;
    for (size_t i = 0; i < BOOKINGS; i++)
        reservations[i] = reservation_in(RESERVATION_NONE);
    for (size_t step = 0; step < STEPS; step++) {
        random = random * 1664525u + 1013904223u;
        struct reservation *reservation = &reservations[(random >> 8) % BOOKINGS];
        struct reserve reserve = RESERVE;
        const struct release release = {
            .booking_id = BOOKING_ID, .hospital_id = HOSPITAL_ID, .date = TODAY + 1};
        const struct capacity_wanted capacity = {
            .hospital_id = HOSPITAL_ID, .date = TODAY + 1, .capacity = (random >> 16) % 60};
        const uint32_t over = day.reserved > day.capacity ? day.reserved - day.capacity : 0;
        bool changed, reinstated = false;
        reserve.headcount = 1 + (random >> 20) % 5;
        switch ((random >> 24) % 9) {
        case 0:
            (void)!hospital_release(reservation, &day, &release);
            break;
        case 1:
            (void)!hospital_set_capacity(&hospital, &day, &capacity, TODAY, &changed, NULL);
            break;
        case 2:
            reinstated = hospital_reinstate(reservation, &day, &reserve) == REINSTATE_TAKEN;
            break;
        case 3:
            *reservation =
                reservation->state == RESERVATION_LIVE ? *reservation : reservation_in(RESERVATION_NONE);
            break;
        default:
            (void)!hospital_reserve(&hospital, &day, reservation, &reserve, TODAY);
            break;
        }
        uint32_t taken = 0;
        for (size_t i = 0; i < BOOKINGS; i++)
            taken += reservations[i].state == RESERVATION_LIVE ? reservations[i].headcount : 0;
        assert_int_equal(day.reserved, taken);
        assert_true(reinstated || day.reserved <= day.capacity + over);
        assert_true(day.reserved + screening_day_remaining(&day) <=
                    (day.reserved > day.capacity ? day.reserved : day.capacity));
    }
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delete_every_state),
        cmocka_unit_test(test_reserve_every_case_without_a_grant),
        cmocka_unit_test(test_reserve_known_booking_depends_on_its_reservation_only),
        cmocka_unit_test(test_reserve_answer_every_outcome_has_its_code),
        cmocka_unit_test(test_release_every_state),
        cmocka_unit_test(test_release_overcommitted_day_sells_nothing_before_it_fits),
        cmocka_unit_test(test_reinstate_every_state),
        cmocka_unit_test(test_rules_any_sequence_keeps_the_places_balanced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
