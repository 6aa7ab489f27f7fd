/* Tests a channel of which a backend is silent: when a call goes to another one, and ejection. */
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "rpc/group_testing.h"

/* ---- the clock ---- */

/* How late the clock is, and where it stands still; 0 = it runs. */
static atomic_int_fast64_t late_ns, frozen_ns;

int64_t __wrap_clock_monotonic_ns(void);
int64_t __real_clock_monotonic_ns(void);

int64_t __wrap_clock_monotonic_ns(void)
{
    int64_t at_ns = atomic_load(&frozen_ns);
    return at_ns != 0 ? at_ns : __real_clock_monotonic_ns() - atomic_load(&late_ns);
}

static const struct retry_options RETRY = {.percent = 100, .min_per_s = 10};

/* ---- calls ---- */

static void test_silent_call_goes_to_another_after_half_of_its_budget_and_takes_a_retry(void **state)
{
    (void)state;
    struct group group;
    group_open(&group, 2, (struct rpc_channel_options){.retry = RETRY, .peer = "silent"});
    struct test_pending pending, once;
    int64_t begin_ms = test_now_ms();
    group_begin(&group, &pending, (struct rpc_client_call){.timeout_ms = 2000, .idempotent = true});
    int at, other;
    uint32_t budget_ms;
    nng_msg_free(group_receive(&group, &at, &budget_ms));
    assert_int_equal(budget_ms, 2000);
    nng_msg *msg = group_receive(&group, &other, &budget_ms);
    assert_int_equal(other, 1 - at);
    assert_true(test_now_ms() - begin_ms >= 990);
    assert_in_range(budget_ms, 1, 1010);
    group_answer(&group, other, msg, STATUS_NOT_FOUND, NULL, 0);
    test_assert_outcome(&pending, STATUS_NOT_FOUND, true);
    assert_int_equal(test_metric("rpc_retries_total"), 1);
    assert_int_equal(test_metric("rpc_failovers_total"), 1);
    /* A call that is not idempotent waits for its whole budget. */
    group_begin(&group, &once, (struct rpc_client_call){.timeout_ms = 300});
    nng_msg_free(group_receive(&group, &at, NULL));
    test_assert_outcome(&once, STATUS_DEADLINE_EXCEEDED, true);
    assert_null(group_try_receive(&group, 1 - at));
    group_close(&group);
}

static void test_silent_call_goes_to_another_only_once(void **state)
{
    (void)state;
    struct group group;
    group_open(&group, 3, (struct rpc_channel_options){.retry = RETRY});
    struct test_pending pending;
    group_begin(&group, &pending, (struct rpc_client_call){.timeout_ms = 800, .idempotent = true});
    int first, second;
    nng_msg_free(group_receive(&group, &first, NULL));
    nng_msg_free(group_receive(&group, &second, NULL));
    assert_int_not_equal(first, second);
    test_assert_outcome(&pending, STATUS_DEADLINE_EXCEEDED, true);
    for (int i = 0; i < group.count; i++)
        assert_null(group_try_receive(&group, i));
    group_close(&group);
}

/* Checks that the call stays at backend 0 for its whole budget, and that a late answer counts. */
static void assert_call_stays(struct group *group)
{
    struct test_pending pending;
    int64_t begin_ms = test_now_ms();
    group_begin(group, &pending,
                (struct rpc_client_call){.timeout_ms = 3000, .idempotent = true, .unguarded = true});
    nng_msg *msg = group_receive_at(group, 0);
    while (test_now_ms() - begin_ms < 1700) /* half of the budget is over, and the keeper has looked often */
        assert_null(group_try_receive(group, 1));
    group_answer(group, 0, msg, STATUS_NOT_FOUND, NULL, 0);
    test_assert_outcome(&pending, STATUS_NOT_FOUND, true);
}

/* Lets backend 1 refuse a call. */
static void refuse_at_second(struct group *group, const char *reason)
{
    struct test_pending pending;
    group_eject(group, 0, INT64_MAX);
    group_begin(group, &pending, (struct rpc_client_call){.timeout_ms = 9000}); /* too short for the pause */
    group_answer(group, 1, group_receive_at(group, 1), STATUS_UNAVAILABLE, reason, 10000);
    test_assert_outcome(&pending, STATUS_UNAVAILABLE, true);
    group_eject(group, 0, 0);
}

static void test_silent_call_goes_to_no_backend_that_would_not_serve_it(void **state)
{
    (void)state;
    struct group group;
    group_open(&group, 2, (struct rpc_channel_options){.retry = RETRY});
    refuse_at_second(&group, "DRAINING");
    assert_call_stays(&group);
    group_close(&group);
    group_open(&group, 2, (struct rpc_channel_options){.retry = RETRY});
    refuse_at_second(&group, "NOT_READY");
    assert_call_stays(&group);
    group_close(&group);
    group_open(&group, 2, (struct rpc_channel_options){.retry = RETRY});
    group_eject(&group, 1, INT64_MAX);
    assert_call_stays(&group);
    group_close(&group);
}

/* A slow database makes both backends slow: the call must not lose the answer that the first is about to
 * send. */
static void test_slow_call_stays_while_its_backend_answers_others(void **state)
{
    (void)state;
    struct group group;
    group_open(&group, 2, (struct rpc_channel_options){.retry = RETRY});
    struct test_pending pending;
    int at;
    int64_t begin_ms = test_now_ms();
    group_begin(&group, &pending, (struct rpc_client_call){.timeout_ms = 3000, .idempotent = true});
    nng_msg *msg = group_receive(&group, &at, NULL);
    while (test_now_ms() - begin_ms < 2200) {
        pthread_mutex_lock(&group.channel->mutex);
        balance_note_answer(&group.channel->balance.marks[at], clock_monotonic_ns());
        pthread_mutex_unlock(&group.channel->mutex);
        assert_null(group_try_receive(&group, 1 - at));
    }
    group_answer(&group, at, msg, STATUS_NOT_FOUND, NULL, 0);
    test_assert_outcome(&pending, STATUS_NOT_FOUND, true);
    group_close(&group);
}

static void test_silent_call_goes_back_to_a_backend_that_had_refused_it(void **state)
{
    (void)state;
    struct group group;
    struct test_pending pending;
    int at;
    group_open(&group, 2, (struct rpc_channel_options){.retry = RETRY});
    group_begin(&group, &pending, (struct rpc_client_call){.timeout_ms = 3000, .idempotent = true});
    nng_msg *msg = group_receive(&group, &at, NULL);
    group_answer(&group, at, msg, STATUS_UNAVAILABLE, "NOT_READY", 1);
    nng_msg_free(group_receive_at(&group, 1 - at));
    group_answer(&group, at, group_receive_at(&group, at), STATUS_NOT_FOUND, NULL, 0);
    test_assert_outcome(&pending, STATUS_NOT_FOUND, true);
    group_close(&group);
}

/* Its answer says when to ask again, and that an earlier try may have been executed. */
static void test_lost_call_goes_even_to_a_backend_that_refuses(void **state)
{
    (void)state;
    struct group group;
    struct test_pending pending;
    group_open(&group, 2, (struct rpc_channel_options){.retry = {.percent = 1}});
    while (rpc_guard_take_retry(rpc_channel_guard(group.channel)))
        ;
    refuse_at_second(&group, "NOT_READY");
    group_begin(&group, &pending, (struct rpc_client_call){.timeout_ms = 30000, .idempotent = true});
    group_lose(group_receive_at(&group, 0));
    group_answer(&group, 1, group_receive_at(&group, 1), STATUS_UNAVAILABLE, "RECOVERING", 0);
    test_assert_outcome(&pending, STATUS_UNAVAILABLE, true);
    assert_string_equal(pending.call.error.reason, "");
    assert_int_equal(pending.call.error.retry_after_ms, 100);
    assert_true(pending.call.refused_later);
    group_close(&group);
}

static void test_silent_call_stays_if_the_retry_budget_is_spent(void **state)
{
    (void)state;
    struct group group;
    group_open(&group, 2, (struct rpc_channel_options){.retry = {.percent = 1}});
    while (rpc_guard_take_retry(rpc_channel_guard(group.channel)))
        ;
    struct test_pending held; /* lets the next call go to backend 0 */
    int at;
    group_begin(&group, &held, (struct rpc_client_call){.timeout_ms = 30000});
    nng_msg *msg = group_receive(&group, &at, NULL);
    if (at == 0) {
        group_answer(&group, 0, msg, STATUS_UNAVAILABLE, "NOT_READY", 1);
        msg = group_receive_at(&group, 1);
        assert_soon(group_mark(&group, 0).refuses_until_ns <= clock_monotonic_ns());
    }
    assert_call_stays(&group);
    group_answer(&group, 1, msg, STATUS_NOT_FOUND, NULL, 0);
    test_assert_outcome(&held, STATUS_NOT_FOUND, true);
    group_close(&group);
}

/*
 * When this process goes on after it was suspended, the answer may wait in its socket, although half of the
 * budget has passed. The clock jumps and then stands still, so that the test has the time that nng has.
 */
static void test_call_stays_after_this_process_was_suspended(void **state)
{
    (void)state;
    struct group group;
    struct test_pending pending;
    int at;
    atomic_store(&late_ns, 40 * (int64_t)NS_PER_S);
    group_open(&group, 2, (struct rpc_channel_options){.retry = RETRY});
    group_begin(&group, &pending, (struct rpc_client_call){.timeout_ms = 60000, .idempotent = true});
    nng_msg *msg = group_receive(&group, &at, NULL);
    atomic_store(&frozen_ns, __real_clock_monotonic_ns());
    for (int i = 0; i < 40; i++)
        assert_null(group_try_receive(&group, 1 - at));
    group_answer(&group, at, msg, STATUS_NOT_FOUND, NULL, 0);
    atomic_store(&late_ns, 0);
    atomic_store(&frozen_ns, 0);
    test_assert_outcome(&pending, STATUS_NOT_FOUND, true);
    group_close(&group);
}

/* The breaker counts what no backend answered. */
static void test_silent_backends_are_one_failure_of_the_breaker(void **state)
{
    (void)state;
    struct group group;
    const struct breaker_options breaker = {
        .window_ms = 10000, .min_calls = 1, .failure_percent = 50, .open_ms = 60000, .probes = 1};
    group_open(&group, 2, (struct rpc_channel_options){.retry = RETRY, .breaker = breaker});
    struct test_pending pending;
    int at;
    group_begin(&group, &pending, (struct rpc_client_call){.timeout_ms = 400, .idempotent = true});
    nng_msg_free(group_receive(&group, &at, NULL));
    group_serve(&group, 1 - at);
    test_assert_outcome(&pending, STATUS_NOT_FOUND, true);
    group_begin(&group, &pending, (struct rpc_client_call){.timeout_ms = 400, .idempotent = true});
    nng_msg_free(group_receive(&group, &at, NULL));
    nng_msg_free(group_receive_at(&group, 1 - at));
    test_assert_outcome(&pending, STATUS_DEADLINE_EXCEEDED, true);
    group_begin(&group, &pending, (struct rpc_client_call){.timeout_ms = 400});
    test_assert_outcome(&pending, STATUS_UNAVAILABLE, false);
    assert_string_equal(pending.call.error.reason, "BREAKER_OPEN");
    group_close(&group);
}

static void test_silent_call_ends_when_the_channel_is_closed(void **state)
{
    (void)state;
    struct group group;
    group_open(&group, 2, (struct rpc_channel_options){.retry = RETRY});
    struct test_pending pending[32];
    for (size_t i = 0; i < 32; i++) /* half of the budgets end while the channel is closed */
        group_begin(&group, &pending[i],
                    (struct rpc_client_call){.timeout_ms = 100 + 4 * (uint32_t)i, .idempotent = true});
    assert_soon(group_mark(&group, 0).in_flight + group_mark(&group, 1).in_flight < 30);
    group_close(&group);
    for (size_t i = 0; i < 32; i++)
        assert_int_equal(atomic_load(&pending[i].answers), 1);
}

/* ---- ejection ---- */

/* Lets backend 0 be silent until it is ejected. */
static void be_silent(struct group *group)
{
    while (group_mark(group, 0).ejected_until_ns == 0) {
        int at;
        struct test_pending pending;
        group_begin(group, &pending, (struct rpc_client_call){.timeout_ms = 400, .idempotent = true});
        nng_msg *msg = group_receive(group, &at, NULL);
        if (at == 0) {
            nng_msg_free(msg);
            msg = group_receive_at(group, 1);
        }
        group_answer(group, 1, msg, STATUS_NOT_FOUND, NULL, 0);
        test_assert_outcome(&pending, STATUS_NOT_FOUND, true);
    }
}

static void test_silent_backend_is_ejected_and_returns_with_a_good_check(void **state)
{
    (void)state;
    struct group group;
    group_open(&group, 2, (struct rpc_channel_options){.peer = "ejecting", .retry = RETRY});
    be_silent(&group);
    assert_int_equal(test_metric("rpc_backend_ejected_total"), 1);
    assert_int_equal(test_metric("rpc_backend_ejected"), 1);
    group_assert_all_go_to(&group, 1, 10);
    int64_t begin_ms = test_now_ms();
    for (int i = 0; i < 3; i++)
        group_answer_check(&group, 0, GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING);
    assert_int_equal(test_metric("rpc_backend_ejected"), 1);
    group_answer_check(&group, 0, GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING);
    assert_soon(group_mark(&group, 0).ejected_until_ns == 0);
    assert_true(test_now_ms() - begin_ms < 8000); /* doubled, the periods would be 1, 2, 4 and 8 s */
    assert_int_equal(test_metric("rpc_backend_ejected"), 0);
    group_close(&group);
}

static void test_silent_backend_is_checked_at_its_next_connection(void **state)
{
    (void)state;
    struct group group;
    group_open(&group, 2, (struct rpc_channel_options){.retry = RETRY});
    group_eject(&group, 0, INT64_MAX);
    nng_close(group.sockets[0]);
    assert_soon(group_mark(&group, 0).connection == 0);
    group_listen(&group, 0);
    group_answer_check(&group, 0, GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING);
    assert_soon(group_mark(&group, 0).ejected_until_ns == 0);
    group_close(&group);
}

static void test_health_check_takes_no_place_of_a_call(void **state)
{
    (void)state;
    struct group group;
    group_open(&group, 2, (struct rpc_channel_options){.calls_max = 1, .peer = "checked"});
    group_eject(&group, 0, 1); /* a check is due */
    nng_msg *check = group_receive_check(&group, 0);
    assert_int_equal(group_mark(&group, 0).in_flight, 1);
    assert_int_equal(test_metric("rpc_calls_in_flight"), 0);
    group_assert_all_go_to(&group, 1, 1);
    nng_msg_free(check);
    group_close(&group);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_silent_call_goes_to_another_after_half_of_its_budget_and_takes_a_retry),
        cmocka_unit_test(test_silent_call_goes_to_another_only_once),
        cmocka_unit_test(test_silent_call_goes_to_no_backend_that_would_not_serve_it),
        cmocka_unit_test(test_slow_call_stays_while_its_backend_answers_others),
        cmocka_unit_test(test_silent_call_goes_back_to_a_backend_that_had_refused_it),
        cmocka_unit_test(test_lost_call_goes_even_to_a_backend_that_refuses),
        cmocka_unit_test(test_silent_call_stays_if_the_retry_budget_is_spent),
        cmocka_unit_test(test_call_stays_after_this_process_was_suspended),
        cmocka_unit_test(test_silent_backends_are_one_failure_of_the_breaker),
        cmocka_unit_test(test_silent_call_ends_when_the_channel_is_closed),
        cmocka_unit_test(test_silent_backend_is_ejected_and_returns_with_a_good_check),
        cmocka_unit_test(test_silent_backend_is_checked_at_its_next_connection),
        cmocka_unit_test(test_health_check_takes_no_place_of_a_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
