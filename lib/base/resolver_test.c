#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/monitor.h"
#include "base/names_testing.h"
#include "base/resolver.h"
#include "base/unit_testing.h"

enum { NUMBERS_MAX = RESOLVED_MAX + 8, NUMBER_SIZE = NAMES_NUMBER_SIZE, DEADLINE_S = 30, TEXTS_SIZE = 4096 };

static struct address_list parse(const char *text)
{
    struct address_list list;
    assert_int_equal(
        address_list_parse(text, ADDRESS_TCP | ADDRESS_IPC | ADDRESS_TLS | ADDRESS_INPROC, &list, NULL),
        STATUS_OK);
    return list;
}

/* Joins the addresses with commas. */
static const char *join(const struct resolved *resolved, char out[TEXTS_SIZE])
{
    size_t size = 0;
    out[0] = '\0';
    for (size_t i = 0; i < resolved->count; i++)
        size += (size_t)snprintf(out + size, TEXTS_SIZE - size, "%s%s", i > 0 ? "," : "",
                                 resolved->items[i].text);
    return out;
}

/* ---- resolve ---- */

static void expect(const char *text, const char *joined)
{
    struct address_list list = parse(text);
    struct resolved resolved = {0};
    char out[TEXTS_SIZE];
    assert_true(resolve(&list, &resolved));
    assert_string_equal(join(&resolved, out), joined);
    assert_false(resolve(&list, &resolved));
}

static void test_resolve_names_and_others_in_order_without_duplicates(void **state)
{
    (void)state;
    names_define("10.0.0.2 fd00::1 10.0.0.1 10.0.0.2");
    expect("ipc:///b,tcp://n:7,tcp://[::1]:9", "ipc:///b,tcp://10.0.0.1:7,tcp://10.0.0.2:7,tcp://[fd00::1]:7,"
                                               "tcp://[::1]:9");
    expect("tcp://10.0.0.2:7,tcp://n:7,tcp://m:7,tls+tcp://n:7",
           "tcp://10.0.0.2:7,tcp://10.0.0.1:7,tcp://[fd00::1]:7,tls+tcp://10.0.0.1:7,tls+tcp://10.0.0.2:7,"
           "tls+tcp://[fd00::1]:7");
}

static void test_resolve_parts_are_those_of_the_list(void **state)
{
    (void)state;
    struct address_list list = parse("tcp://10.0.0.2:7,tcp://n:7,ipc:///b");
    struct resolved resolved = {0};
    names_define("10.0.0.1 10.0.0.2");
    assert_true(resolve(&list, &resolved));
    assert_int_equal(resolved.count, 3);
    for (size_t i = 0; i < resolved.count; i++)
        assert_int_equal(resolved.items[i].part, i);
}

static void test_resolve_changes_are_noticed_but_not_another_order(void **state)
{
    (void)state;
    struct address_list list = parse("tcp://n:7");
    struct resolved resolved = {0};
    char out[TEXTS_SIZE];
    names_define("10.0.0.1 10.0.0.2");
    assert_true(resolve(&list, &resolved));
    names_define("10.0.0.2 10.0.0.1");
    assert_false(resolve(&list, &resolved));
    names_define("10.0.0.2 10.0.0.3");
    assert_true(resolve(&list, &resolved));
    assert_string_equal(join(&resolved, out), "tcp://10.0.0.2:7,tcp://10.0.0.3:7");
    assert_null(resolved.failures[0]);
}

static void test_resolve_of_a_name_that_is_gone_keeps_what_it_had(void **state)
{
    (void)state;
    struct address_list list = parse("tcp://n:7,ipc:///b");
    struct resolved resolved = {0};
    char out[TEXTS_SIZE];
    names_define("");
    assert_true(resolve(&list, &resolved));
    assert_string_equal(join(&resolved, out), "ipc:///b");
    assert_string_equal(resolved.failures[0], gai_strerror(EAI_NONAME));
    assert_null(resolved.failures[1]);
    names_define("10.0.0.1 10.0.0.2");
    assert_true(resolve(&list, &resolved));
    names_define("");
    assert_false(resolve(&list, &resolved));
    assert_string_equal(join(&resolved, out), "tcp://10.0.0.1:7,tcp://10.0.0.2:7,ipc:///b");
    assert_non_null(resolved.failures[0]);
}

static void test_resolve_of_too_many_addresses_keeps_the_same_ones(void **state)
{
    (void)state;
    struct address_list list = parse("tcp://n:7");
    struct resolved resolved = {0};
    char numbers[NUMBERS_MAX * NUMBER_SIZE] = "", backwards[sizeof numbers] = "";
    for (int i = 0; i < NUMBERS_MAX; i++) {
        size_t used = strlen(numbers);
        (void)snprintf(numbers + used, sizeof numbers - used, "10.0.1.%d ", 100 + i);
        (void)snprintf(backwards + used, sizeof backwards - used, "10.0.1.%d ", 100 + NUMBERS_MAX - 1 - i);
    }
    names_define(backwards);
    assert_true(resolve(&list, &resolved));
    assert_int_equal(resolved.count, RESOLVED_MAX);
    assert_string_equal(resolved.items[0].text, "tcp://10.0.1.100:7");
    names_define(numbers);
    assert_false(resolve(&list, &resolved));
}

/* ---- the thread ---- */

/* What the resolver has reported. */
struct reports {
    struct monitor monitor; /* guards the other members */
    int count;
    struct resolved last;
};

static void changed(void *context, const struct resolved *now)
{
    struct reports *reports = context;
    monitor_lock(&reports->monitor);
    reports->count++;
    reports->last = *now;
    monitor_notify(&reports->monitor);
    monitor_unlock(&reports->monitor);
}

static int64_t deadline_ns(void)
{
    return clock_monotonic_ns() + DEADLINE_S * (int64_t)NS_PER_S;
}

static void wait_for_reports(struct reports *reports, int count, const char *joined)
{
    char out[TEXTS_SIZE];
    int64_t until_ns = deadline_ns();
    monitor_lock(&reports->monitor);
    while (reports->count < count)
        assert_true(monitor_wait(&reports->monitor, until_ns));
    assert_int_equal(reports->count, count);
    assert_string_equal(join(&reports->last, out), joined);
    monitor_unlock(&reports->monitor);
}

static void test_resolver_without_names_reports_at_once_and_has_no_thread(void **state)
{
    (void)state;
    struct address_list list = parse("tcp://127.0.0.1:7,ipc:///b");
    struct reports reports = {.count = 0};
    const struct resolver_options options = {.list = &list, .changed = changed, .context = &reports};
    struct resolver *resolver;
    int before = names_look_ups();
    monitor_init(&reports.monitor);
    assert_int_equal(resolver_open(&options, &resolver, NULL), STATUS_OK);
    assert_null(resolver);
    assert_int_equal(reports.count, 1);
    char out[TEXTS_SIZE];
    assert_string_equal(join(&reports.last, out), "tcp://127.0.0.1:7,ipc:///b");
    assert_int_equal(names_look_ups(), before);
    resolver_ask(resolver);
    resolver_close(resolver);
    monitor_fini(&reports.monitor);
}

static void test_resolver_waits_for_a_name_and_reports_changes(void **state)
{
    (void)state;
    struct address_list list = parse("tcp://n:7");
    struct reports reports = {.count = 0};
    const struct resolver_options options = {.list = &list, .changed = changed, .context = &reports};
    struct resolver *resolver;
    monitor_init(&reports.monitor);
    names_define("");
    int before = names_look_ups();
    assert_int_equal(resolver_open(&options, &resolver, NULL), STATUS_OK);
    wait_for_reports(&reports, 1, "");
    names_wait_for_look_ups(before + 2); /* asks again by itself */
    names_define("10.0.0.1");
    wait_for_reports(&reports, 2, "tcp://10.0.0.1:7");
    names_define("10.0.0.2 10.0.0.1");
    resolver_ask(resolver);
    wait_for_reports(&reports, 3, "tcp://10.0.0.1:7,tcp://10.0.0.2:7");
    names_define("10.0.0.2");
    wait_for_reports(&reports, 4, "tcp://10.0.0.2:7"); /* without being asked */
    names_define("");
    before = names_look_ups();
    resolver_ask(resolver);
    names_wait_for_look_ups(before + 2);
    wait_for_reports(&reports, 4, "tcp://10.0.0.2:7");
    resolver_close(resolver);
    monitor_fini(&reports.monitor);
}

static void test_resolver_close_does_not_wait_for_a_look_up(void **state)
{
    (void)state;
    struct address_list list = parse("tcp://n:7");
    struct reports reports = {.count = 0};
    const struct resolver_options options = {.list = &list, .changed = changed, .context = &reports};
    struct resolver *resolver;
    monitor_init(&reports.monitor);
    names_define("10.0.0.1");
    names_hang(true);
    int before = names_look_ups();
    assert_int_equal(resolver_open(&options, &resolver, NULL), STATUS_OK);
    names_wait_for_look_ups(before + 1);
    resolver_close(resolver); /* would hang */
    names_hang(false);
    assert_int_equal(reports.count, 1); /* the first one */
    monitor_fini(&reports.monitor);
}

static void test_resolver_does_not_keep_other_addresses_waiting_for_a_name(void **state)
{
    (void)state;
    struct address_list list = parse("tcp://n:7,ipc:///b");
    struct reports reports = {.count = 0};
    const struct resolver_options options = {.list = &list, .changed = changed, .context = &reports};
    struct resolver *resolver;
    monitor_init(&reports.monitor);
    names_define("10.0.0.1");
    names_hang(true);
    assert_int_equal(resolver_open(&options, &resolver, NULL), STATUS_OK);
    wait_for_reports(&reports, 1, "ipc:///b");
    names_hang(false);
    wait_for_reports(&reports, 2, "tcp://10.0.0.1:7,ipc:///b");
    resolver_close(resolver);
    monitor_fini(&reports.monitor);
}

static void test_resolver_looks_names_up_at_once_if_asked_to(void **state)
{
    (void)state;
    struct address_list list = parse("tcp://n:7,ipc:///b");
    struct reports reports = {.count = 0};
    const struct resolver_options options = {
        .list = &list, .changed = changed, .context = &reports, .now = true};
    struct resolver *resolver;
    monitor_init(&reports.monitor);
    names_define("10.0.0.1");
    int before = names_look_ups();
    assert_int_equal(resolver_open(&options, &resolver, NULL), STATUS_OK);
    assert_int_equal(names_look_ups(), before + 1);
    assert_int_equal(reports.count, 1);
    wait_for_reports(&reports, 1, "tcp://10.0.0.1:7,ipc:///b");
    names_define("10.0.0.2");
    resolver_ask(resolver);
    wait_for_reports(&reports, 2, "tcp://10.0.0.2:7,ipc:///b");
    assert_int_equal(names_look_ups(), before + 2);
    resolver_close(resolver);
    monitor_fini(&reports.monitor);
}

static void test_resolved_contains_the_whole_text_only(void **state)
{
    (void)state;
    struct resolved resolved = {.count = 2, .items = {{.text = "tcp://10.0.0.1:7"}, {.text = "ipc:///b"}}};
    assert_true(resolved_contains(&resolved, "ipc:///b"));
    assert_false(resolved_contains(&resolved, "tcp://10.0.0.1:70"));
    assert_false(resolved_contains(&resolved, "tcp://10.0.0.1:"));
    resolved.count = 1;
    assert_false(resolved_contains(&resolved, "ipc:///b"));
}

int main(void)
{
    names_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resolve_names_and_others_in_order_without_duplicates),
        cmocka_unit_test(test_resolve_parts_are_those_of_the_list),
        cmocka_unit_test(test_resolve_changes_are_noticed_but_not_another_order),
        cmocka_unit_test(test_resolve_of_a_name_that_is_gone_keeps_what_it_had),
        cmocka_unit_test(test_resolve_of_too_many_addresses_keeps_the_same_ones),
        cmocka_unit_test(test_resolver_without_names_reports_at_once_and_has_no_thread),
        cmocka_unit_test(test_resolver_waits_for_a_name_and_reports_changes),
        cmocka_unit_test(test_resolver_close_does_not_wait_for_a_look_up),
        cmocka_unit_test(test_resolver_does_not_keep_other_addresses_waiting_for_a_name),
        cmocka_unit_test(test_resolver_looks_names_up_at_once_if_asked_to),
        cmocka_unit_test(test_resolved_contains_the_whole_text_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
