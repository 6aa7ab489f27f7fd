#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/unit_testing.h"
#include "service/security.h"

static int64_t now_ns;
static int warnings;

int64_t __wrap_clock_monotonic_ns(void);
void __wrap_log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count);

int64_t __wrap_clock_monotonic_ns(void)
{
    return now_ns;
}

/* Counts the lines of the log instead of writing them. */
void __wrap_log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
    (void)fields, (void)count;
    warnings += level == LOG_WARN && strcmp(event, "security.insecure") == 0;
}

static int64_t value_of(const char *name)
{
    for (struct metric *metric = metrics_newest(); metric != NULL; metric = metric->next)
        if (strcmp(metric->name, name) == 0)
            return metric_get(metric);
    return -1;
}

/* Lets `seconds` pass, and looks after the security each second, as every program does. */
static void pass(struct security *security, int seconds)
{
    for (int i = 0; i < seconds; i++) {
        now_ns += NS_PER_S;
        security_look_after(security, false);
    }
}

static void test_insecure_warns_at_once_and_then_every_minute(void **state)
{
    const struct security_settings settings = {.issuers = "", .token_key = "", .insecure = true};
    struct security *security;
    struct error error;
    (void)state;
    assert_int_equal(security_open(&settings, "test-svc", &security, &error), STATUS_OK);
    assert_int_equal(value_of("security_insecure"), 1);
    security_look_after(security, false);
    assert_int_equal(warnings, 1);
    pass(security, 59);
    assert_int_equal(warnings, 1);
    pass(security, 1);
    assert_int_equal(warnings, 2);
    pass(security, 600);
    assert_int_equal(warnings, 12);
    security_close(security);
}

static void test_without_issuers_only_insecure_opens(void **state)
{
    const struct security_settings settings = {.issuers = "", .token_key = ""};
    struct security *security;
    struct error error;
    (void)state;
    assert_int_equal(security_open(&settings, "test-svc", &security, &error), STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.message, "issuers: must be given, or --insecure, which trusts every caller");
}

static void test_no_token_is_sent_in_clear_to_another_machine(void **state)
{
    static const char far[] = "ipc:///run/a,tcp://192.0.2.1:7201";
    static const char near[] = "tcp://[::1]:7201,tcp://localhost:7202,tcp://127.0.0.1:7203,ipc:///run/a";
    struct security_settings settings = {.issuers = "", .token_key = "", .insecure = true};
    struct security *security;
    struct error error;
    (void)state;
    assert_int_equal(security_open(&settings, "test-svc", &security, &error), STATUS_OK);
    assert_int_equal(security_check_callee(security, "booking-rpc", far, &error), STATUS_OK);
    settings.insecure = false;
    assert_int_equal(security_check_callee(security, "booking-rpc", far, &error), STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.message,
                        "booking-rpc: tokens would be sent in clear to tcp://192.0.2.1:7201: use "
                        "ipc:// and a wire door, unless --insecure is given");
    assert_int_equal(security_check_callee(security, "booking-rpc", near, &error), STATUS_OK);
    security_close(security);
}

static void test_events_are_followed_on_sockets_only(void **state)
{
    struct security_settings settings = {.issuers = "", .token_key = "", .insecure = true};
    static const char open[] = "ipc:///run/a,tcp://127.0.0.1:7202";
    struct security *security;
    struct error error;
    (void)state;
    assert_int_equal(security_open(&settings, "test-svc", &security, &error), STATUS_OK);
    assert_int_equal(security_check_followed(security, "booking-events", open, &error), STATUS_OK);
    settings.insecure = false;
    assert_int_equal(security_check_followed(security, "booking-events", open, &error),
                     STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.message,
                        "booking-events: anybody could send events at tcp://127.0.0.1:7202: use "
                        "ipc://, unless --insecure is given");
    assert_int_equal(security_check_followed(security, "booking-events", "ipc:///run/a,ipc:///run/b", &error),
                     STATUS_OK);
    security_close(security);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_insecure_warns_at_once_and_then_every_minute),
        cmocka_unit_test(test_without_issuers_only_insecure_opens),
        cmocka_unit_test(test_no_token_is_sent_in_clear_to_another_machine),
        cmocka_unit_test(test_events_are_followed_on_sockets_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
