#include "verdict.h"

#include "base/clock.h"
#include "base/unit_testing.h"

enum { BUDGET_MS = 1000, FAIR_MS = 300 };

static const int64_t NOW = INT64_C(1000) * 1000 * NS_PER_MS;

static int64_t after_ms(int64_t ms)
{
    return NOW + ms * NS_PER_MS;
}

static void prepare(struct placement *placement)
{
    *placement = (struct placement){.first_sent_ns = NOW};
    placement->deadline_ns = after_ms(BUDGET_MS);
}

static struct verdict verdict(enum status code, const char *reason, bool left)
{
    return (struct verdict){.code = code, .reason = reason, .left = left, .had_ms = 600, .fair_ms = FAIR_MS};
}

static void assert_ends(enum status code, const char *reason, enum placement_outcome outcome, const char *why)
{
    struct placement placement;
    prepare(&placement);
    struct verdict received = verdict(code, reason, true);
    assert_true(verdict_apply(&received, &placement, NOW));
    assert_int_equal(placement.command.outcome, outcome);
    assert_string_equal(placement.command.reason, why);
}

static void test_verdict_answers_become_outcomes(void **state)
{
    (void)state;
    assert_ends(STATUS_OK, "", PLACEMENT_GRANTED, "");
    assert_ends(STATUS_FAILED_PRECONDITION, "SOLD_OUT", PLACEMENT_REFUSED, "SOLD_OUT");
    assert_ends(STATUS_FAILED_PRECONDITION, "DATE_NOT_OPEN", PLACEMENT_REFUSED, "DATE_NOT_OPEN");
    assert_ends(STATUS_FAILED_PRECONDITION, "SOMETHING_NEW", PLACEMENT_REFUSED, "REFUSED");
    assert_ends(STATUS_ALREADY_EXISTS, "", PLACEMENT_REFUSED, "REFUSED");
    assert_ends(STATUS_UNAVAILABLE, "", PLACEMENT_UNKNOWN, "");
    assert_ends(STATUS_DEADLINE_EXCEEDED, "", PLACEMENT_UNKNOWN, "");
    assert_ends(STATUS_INTERNAL, "", PLACEMENT_UNKNOWN, "");
}

/* An earlier try may have been executed at another replica; a repetition gets the answer of that one. */
static void test_verdict_a_refusal_after_a_lost_try_is_sent_again(void **state)
{
    (void)state;
    struct placement placement;
    prepare(&placement);
    struct verdict received = verdict(STATUS_UNAVAILABLE, "", true);
    received.retry_after_ms = 100;
    assert_true(verdict_apply(&received, &placement, NOW)); /* for example, the disk is full */
    assert_int_equal(placement.command.outcome, PLACEMENT_UNKNOWN);
    prepare(&placement);
    received.refused_later = true;
    assert_false(verdict_apply(&received, &placement, NOW));
    assert_true(placement.not_before_ns == after_ms(100) && placement.tried);
    assert_true(verdict_apply(&received, &placement, after_ms(BUDGET_MS - 100)));
    assert_int_equal(placement.command.outcome, PLACEMENT_UNKNOWN);
}

static void test_verdict_not_executed_is_sent_again_after_growing_pauses_while_the_budget_lasts(void **state)
{
    (void)state;
    struct placement placement;
    prepare(&placement);
    struct verdict received = verdict(STATUS_UNAVAILABLE, "", false);
    int64_t now_ns = NOW, last_pause_ns = 0;
    int tries = 0;
    while (!verdict_apply(&received, &placement, now_ns)) {
        assert_true(placement.not_before_ns > now_ns &&
                    placement.not_before_ns <= verdict_last_try_ns(&placement));
        last_pause_ns = placement.not_before_ns - now_ns;
        now_ns = placement.not_before_ns;
        tries++;
    }
    assert_in_range(tries, 6, 12);
    assert_true(last_pause_ns > 0);
    /* The last try was at the latest possible time, or so late that another one is impossible. */
    assert_in_range(verdict_last_try_ns(&placement) - now_ns, 0, after_ms(20) - NOW);
    assert_int_equal(placement.command.outcome, PLACEMENT_UNKNOWN);
}

static void test_verdict_retry_after_is_obeyed_or_there_is_no_other_try(void **state)
{
    (void)state;
    static const struct {
        enum status code;
        const char *reason;
    } refusals[] = {{STATUS_RESOURCE_EXHAUSTED, "OVERLOADED"},
                    {STATUS_UNAVAILABLE, "DRAINING"},
                    {STATUS_UNAVAILABLE, "NOT_READY"},
                    {STATUS_UNAVAILABLE, "RECOVERING"}};
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        struct placement placement;
        prepare(&placement);
        struct verdict received = verdict(refusals[i].code, refusals[i].reason, true);
        received.retry_after_ms = 300;
        assert_false(verdict_apply(&received, &placement, NOW));
        assert_int_equal(placement.not_before_ns, after_ms(300));
        received.retry_after_ms = BUDGET_MS;
        assert_true(verdict_apply(&received, &placement, NOW));
        assert_int_equal(placement.command.outcome, PLACEMENT_UNKNOWN);
    }
}

static void test_verdict_of_the_settler_is_never_sent_again_here(void **state)
{
    (void)state;
    struct placement placement;
    prepare(&placement);
    placement.command.by_settler = true;
    struct verdict received = verdict(STATUS_UNAVAILABLE, "", false);
    assert_true(verdict_apply(&received, &placement, NOW));
    assert_int_equal(placement.command.outcome, PLACEMENT_UNKNOWN);
    assert_int_equal(verdict_for_breaker(&received, &placement, after_ms(BUDGET_MS)), BREAKER_NOTHING);
}

static void test_verdict_counts_silence_only_if_there_was_time_to_answer(void **state)
{
    (void)state;
    struct placement placement;
    prepare(&placement);
    struct verdict silent = verdict(STATUS_DEADLINE_EXCEEDED, "", true);
    assert_int_equal(verdict_for_breaker(&silent, &placement, NOW), BREAKER_FAILURE);
    silent.had_ms = FAIR_MS - 1;
    assert_int_equal(verdict_for_breaker(&silent, &placement, NOW), BREAKER_NOTHING);
    struct verdict unsent = verdict(STATUS_UNAVAILABLE, "", false);
    assert_int_equal(verdict_for_breaker(&unsent, &placement, after_ms(FAIR_MS - 1)), BREAKER_NOTHING);
    assert_int_equal(verdict_for_breaker(&unsent, &placement, after_ms(FAIR_MS)), BREAKER_FAILURE);
    struct verdict sold_out = verdict(STATUS_FAILED_PRECONDITION, "SOLD_OUT", true);
    assert_int_equal(verdict_for_breaker(&sold_out, &placement, NOW), BREAKER_SUCCESS);
    struct verdict draining = verdict(STATUS_UNAVAILABLE, "DRAINING", true);
    assert_int_equal(verdict_for_breaker(&draining, &placement, NOW), BREAKER_NOTHING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdict_answers_become_outcomes),
        cmocka_unit_test(test_verdict_a_refusal_after_a_lost_try_is_sent_again),
        cmocka_unit_test(test_verdict_not_executed_is_sent_again_after_growing_pauses_while_the_budget_lasts),
        cmocka_unit_test(test_verdict_retry_after_is_obeyed_or_there_is_no_other_try),
        cmocka_unit_test(test_verdict_of_the_settler_is_never_sent_again_here),
        cmocka_unit_test(test_verdict_counts_silence_only_if_there_was_time_to_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
