#include <string.h>

#include "base/clock.h"
#include "base/unit_testing.h"
#include "rpc/balance.h"

#define SECOND ((int64_t)1000 * NS_PER_MS)
#define AT     (100 * SECOND) /* an arbitrary time */

/* `count` connected backends. */
static struct balance connected(size_t count)
{
    struct balance balance = {.count = count};
    for (size_t i = 0; i < count; i++)
        balance.marks[i] = (struct balance_mark){.used = true, .connection = (int)i + 1};
    return balance;
}

static size_t pick(const struct balance *balance, uint64_t skip, uint32_t random)
{
    return balance_pick(balance, skip, BALANCE_ONLY_USABLE, random, AT);
}

/* ---- the choice ---- */

/* Every pair of two must be possible, and nothing else. */
static void test_balance_fewer_calls_in_flight_of_two_random_ones(void **state)
{
    (void)state;
    struct balance balance = connected(4);
    for (size_t i = 0; i < 4; i++)
        balance.marks[i].in_flight = 10 * i;
    size_t seen[4] = {0};
    for (uint32_t first = 0; first < 4; first++)
        for (uint32_t second = 0; second < 3; second++)
            seen[pick(&balance, 0, second << 16 | first)]++;
    assert_int_equal(seen[0], 6); /* 12 ordered pairs, of which 6 contain the first */
    assert_int_equal(seen[1], 4);
    assert_int_equal(seen[2], 2);
    assert_int_equal(seen[3], 0);
}

static void test_balance_equal_backends_are_all_picked(void **state)
{
    (void)state;
    struct balance balance = connected(3);
    bool seen[3] = {false};
    for (uint32_t random = 0; random < 3; random++)
        seen[pick(&balance, 0, random)] = true;
    assert_true(seen[0] && seen[1] && seen[2]);
}

static void test_balance_unusable_backends_are_not_picked(void **state)
{
    (void)state;
    struct balance balance = connected(6);
    balance.marks[0].connection = 0;
    balance.marks[1].leaving = true;
    balance.marks[2].used = false;
    balance.marks[3].ejected_until_ns = AT + SECOND;
    balance_note_draining(&balance.marks[4], 300, 5, AT);
    for (uint32_t random = 0; random < 200; random++)
        assert_int_equal(pick(&balance, 0, random * 2654435761U), 5);
    assert_int_equal(pick(&balance, UINT64_C(1) << 5, 0), BALANCE_NONE);
}

static void test_balance_best_kind_comes_first(void **state)
{
    (void)state;
    struct balance balance = connected(6);
    balance_note_refusal(&balance.marks[1], 300, AT);
    balance.marks[2].ejected_until_ns = AT + SECOND;
    balance.marks[3].connection = 0;
    balance_note_draining(&balance.marks[4], 300, 5, AT);
    balance_note_draining(&balance.marks[5], 200, 6, AT);
    static const size_t ORDER[] = {0, 1, 2, 3, 5, 4};
    for (size_t i = 0; i < sizeof ORDER / sizeof ORDER[0]; i++) {
        assert_int_equal(balance_pick(&balance, 0, BALANCE_ANY, 7, AT), ORDER[i]);
        balance.marks[ORDER[i]].leaving = true;
    }
    assert_int_equal(balance_pick(&balance, 0, BALANCE_ANY, 7, AT), BALANCE_NONE);
    balance.marks[2].leaving = balance.marks[1].leaving = false;
    assert_int_equal(balance_pick(&balance, 0, BALANCE_ALSO_EJECTED, 7, AT), 2);
    assert_int_equal(balance_pick(&balance, 1U << 2, BALANCE_ALSO_EJECTED, 7, AT), BALANCE_NONE);
}

/* ---- refusals ---- */

/* It has the fewest calls in flight, because it answers quickly. */
static void test_balance_refusing_backend_attracts_no_call_until_the_time_that_it_asked_for(void **state)
{
    (void)state;
    struct balance balance = connected(2);
    balance.marks[1].in_flight = 100;
    balance_note_refusal(&balance.marks[0], 300, AT);
    balance_note_refusal(&balance.marks[0], 100, AT); /* the longer time counts */
    for (uint32_t random = 0; random < 200; random++)
        assert_int_equal(pick(&balance, 0, random * 2654435761U), 1);
    int64_t until_ns = AT + 300 * (int64_t)NS_PER_MS;
    assert_int_equal(balance_pick(&balance, 0, BALANCE_ONLY_USABLE, 7, until_ns - 1), 1);
    assert_int_equal(balance_pick(&balance, 0, BALANCE_ONLY_USABLE, 7, until_ns), 0);
    balance_note_refusal(&balance.marks[0], 60000, AT);
    assert_int_equal(balance_pick(&balance, 0, BALANCE_ONLY_USABLE, 7, AT + 10 * SECOND - 1), 1);
    assert_int_equal(balance_pick(&balance, 0, BALANCE_ONLY_USABLE, 7, AT + 10 * SECOND), 0);
    balance_note_refusal(&balance.marks[0], 0, AT + 20 * SECOND);
    assert_int_equal(balance_pick(&balance, 0, BALANCE_ONLY_USABLE, 7, AT + 20 * SECOND), 0);
    balance_note_refusal(&balance.marks[0], 300, AT);
    balance_note_connected(&balance.marks[0], 9, AT);
    assert_int_equal(pick(&balance, 0, 7), 0);
}

/* ---- draining ---- */

static void test_balance_draining_server_is_left_alone_until_it_has_closed(void **state)
{
    (void)state;
    struct balance_mark mark = {.used = true, .connection = 7};
    assert_int_equal(balance_pause_ms(&mark, 7, AT), 0);
    balance_note_draining(&mark, 300, 7, AT);
    balance_note_draining(&mark, 100, 7, AT); /* the longer pause counts */
    assert_int_equal(balance_pause_ms(&mark, 7, AT), 300);
    assert_int_equal(balance_pause_ms(&mark, 0, AT + 299 * (int64_t)NS_PER_MS + 1), 1);
    assert_int_equal(balance_pause_ms(&mark, 7, AT + 300 * (int64_t)NS_PER_MS), 50);
    assert_int_equal(balance_pause_ms(&mark, 8, AT + 300 * (int64_t)NS_PER_MS), 0);
    assert_int_equal(balance_pause_ms(&mark, 7, AT + 2300 * (int64_t)NS_PER_MS), 0);
    balance_note_draining(&mark, 60000, 7, AT);
    assert_int_equal(balance_pause_ms(&mark, 7, AT), 10000);
}

/* ---- ejection ---- */

static bool silence(struct balance *balance, size_t slot, int times, int64_t now_ns)
{
    bool ejected = false;
    for (int i = 0; i < times; i++)
        ejected = balance_note_silence(balance, slot, now_ns);
    return ejected;
}

static void test_balance_three_silent_tries_in_a_row_eject(void **state)
{
    (void)state;
    struct balance balance = connected(2);
    assert_false(silence(&balance, 0, 2, AT));
    balance_note_answer(&balance.marks[0], AT);
    assert_int_equal(balance.marks[0].answered_ns, AT);
    assert_false(silence(&balance, 0, 2, AT));
    assert_true(silence(&balance, 0, 1, AT));
    assert_false(silence(&balance, 0, 1, AT)); /* is already ejected */
    assert_int_equal(balance_pick(&balance, 0, BALANCE_ONLY_USABLE, 0, AT), 1);
    /* Half of the backends are ejected, so the other one is not. */
    assert_false(silence(&balance, 1, 9, AT));
    assert_int_equal(balance_pick(&balance, 0, BALANCE_ONLY_USABLE, 0, AT), 1);
}

static void test_balance_at_most_half_of_the_connected_backends_are_ejected(void **state)
{
    (void)state;
    struct balance one = connected(1);
    assert_false(silence(&one, 0, 9, AT));
    struct balance three = connected(3);
    assert_true(silence(&three, 2, 3, AT));
    assert_false(silence(&three, 0, 9, AT));
    struct balance apart = connected(4);
    apart.marks[3].connection = 0;
    apart.marks[2].leaving = true;
    assert_true(silence(&apart, 0, 3, AT));
    assert_false(silence(&apart, 1, 9, AT));
}

static void test_balance_ejected_backend_returns_with_a_good_check_only(void **state)
{
    (void)state;
    struct balance balance = connected(2);
    struct balance_mark *mark = &balance.marks[0];
    assert_false(balance_check_is_due(mark, AT));
    assert_true(silence(&balance, 0, 3, AT));
    static const int64_t SECONDS[] = {1, 2, 4, 8, 16, 30, 30, 30};
    int64_t now_ns = AT;
    for (size_t i = 0; i < sizeof SECONDS / sizeof SECONDS[0]; i++) {
        assert_false(balance_check_is_due(mark, now_ns + SECONDS[i] * SECOND - 1));
        now_ns += SECONDS[i] * SECOND;
        assert_true(balance_check_is_due(mark, now_ns));
        assert_int_equal(balance_pick(&balance, 0, BALANCE_ONLY_USABLE, 0, now_ns), 1);
        balance_note_check(mark, BALANCE_SILENT, now_ns);
    }
    balance_note_check(mark, BALANCE_SERVING, now_ns);
    assert_int_equal(balance_pick(&balance, 2, BALANCE_ONLY_USABLE, 0, now_ns), 0);
    /* It has answered the check but no call, so the next ejection is as long as the last. */
    assert_true(silence(&balance, 0, 3, now_ns));
    assert_false(balance_check_is_due(mark, now_ns + 30 * SECOND - 1));
    balance_note_check(mark, BALANCE_SERVING, now_ns);
    balance_note_answer(mark, now_ns);
    assert_true(silence(&balance, 0, 3, now_ns));
    assert_true(balance_check_is_due(mark, now_ns + SECOND));
}

static void test_balance_ejected_backend_that_answers_is_checked_every_second(void **state)
{
    (void)state;
    struct balance balance = connected(2);
    struct balance_mark *mark = &balance.marks[0];
    assert_true(silence(&balance, 0, 3, AT));
    int64_t now_ns = AT + SECOND;
    for (int i = 0; i < 9; i++, now_ns += SECOND) {
        assert_true(balance_check_is_due(mark, now_ns));
        balance_note_check(mark, BALANCE_NOT_SERVING, now_ns);
        assert_false(balance_check_is_due(mark, now_ns + SECOND - 1));
    }
    balance_note_check(mark, BALANCE_SILENT, now_ns);
    assert_true(balance_check_is_due(mark, now_ns + 2 * SECOND)); /* only the second silence */
}

static void test_balance_new_connection_begins_with_a_check_and_the_first_ejection(void **state)
{
    (void)state;
    struct balance balance = connected(2);
    struct balance_mark *mark = &balance.marks[0];
    assert_true(silence(&balance, 0, 3, AT));
    for (int i = 0; i < 9; i++)
        balance_note_check(mark, BALANCE_SILENT, AT);
    mark->connection = 0;
    assert_false(balance_check_is_due(mark, AT + 60 * SECOND)); /* it cannot be asked */
    balance_note_connected(mark, 9, AT);
    assert_true(balance_check_is_due(mark, AT));
    assert_int_equal(pick(&balance, 0, 0), 1);
    balance_note_check(mark, BALANCE_SILENT, AT);
    assert_false(balance_check_is_due(mark, AT + SECOND - 1));
    assert_true(balance_check_is_due(mark, AT + SECOND));
}

static void test_balance_calls_lost_with_a_connection_do_not_count_after_the_next(void **state)
{
    (void)state;
    struct balance balance = connected(2);
    balance.marks[0].connection = 0;
    assert_false(silence(&balance, 0, 9, AT));
    balance_note_connected(&balance.marks[0], 9, AT);
    assert_false(silence(&balance, 0, 2, AT));
    assert_true(silence(&balance, 0, 1, AT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_balance_fewer_calls_in_flight_of_two_random_ones),
        cmocka_unit_test(test_balance_equal_backends_are_all_picked),
        cmocka_unit_test(test_balance_unusable_backends_are_not_picked),
        cmocka_unit_test(test_balance_best_kind_comes_first),
        cmocka_unit_test(test_balance_refusing_backend_attracts_no_call_until_the_time_that_it_asked_for),
        cmocka_unit_test(test_balance_draining_server_is_left_alone_until_it_has_closed),
        cmocka_unit_test(test_balance_three_silent_tries_in_a_row_eject),
        cmocka_unit_test(test_balance_at_most_half_of_the_connected_backends_are_ejected),
        cmocka_unit_test(test_balance_ejected_backend_returns_with_a_good_check_only),
        cmocka_unit_test(test_balance_ejected_backend_that_answers_is_checked_every_second),
        cmocka_unit_test(test_balance_new_connection_begins_with_a_check_and_the_first_ejection),
        cmocka_unit_test(test_balance_calls_lost_with_a_connection_do_not_count_after_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
