#include "base/unit_testing.h"
#include "db/pg_status.h"

struct expectation {
    const char *text;
    enum status status;
};

static void test_pg_status_every_known_sqlstate_has_its_status(void **state)
{
    static const struct expectation expectations[] = {
        {"08000", STATUS_UNAVAILABLE},       {"08006", STATUS_UNAVAILABLE},
        {"08P01", STATUS_INTERNAL},          {"22001", STATUS_INTERNAL},
        {"22P02", STATUS_INTERNAL},          {"23502", STATUS_INTERNAL},
        {"23503", STATUS_INTERNAL},          {"23505", STATUS_ALREADY_EXISTS},
        {"23514", STATUS_INTERNAL},          {"25006", STATUS_UNAVAILABLE},
        {"25P02", STATUS_INTERNAL},          {"25P03", STATUS_UNAVAILABLE},
        {"25P04", STATUS_DEADLINE_EXCEEDED}, {"26000", STATUS_UNAVAILABLE},
        {"40001", STATUS_ABORTED},           {"40P01", STATUS_ABORTED},
        {"42601", STATUS_INTERNAL},          {"42P01", STATUS_INTERNAL},
        {"42P07", STATUS_ALREADY_EXISTS},    {"53100", STATUS_UNAVAILABLE},
        {"53200", STATUS_UNAVAILABLE},       {"53300", STATUS_UNAVAILABLE},
        {"55P03", STATUS_DEADLINE_EXCEEDED}, {"57014", STATUS_DEADLINE_EXCEEDED},
        {"57P01", STATUS_UNAVAILABLE},       {"57P02", STATUS_UNAVAILABLE},
        {"57P03", STATUS_UNAVAILABLE},       {"58030", STATUS_UNAVAILABLE},
        {"XX000", STATUS_INTERNAL},          {"XX001", STATUS_UNAVAILABLE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof expectations / sizeof expectations[0]; i++)
        if (pg_status(expectations[i].text, "execMain.c") != expectations[i].status)
            fail_msg("%s", expectations[i].text);
}

/* "could not extend file ...: File too large" must not turn an event into a dead letter. */
static void test_pg_status_internal_errors_of_the_storage_are_unavailable(void **state)
{
    (void)state;
    assert_int_equal(pg_status("XX000", "md.c"), STATUS_UNAVAILABLE);
    assert_int_equal(pg_status("XX000", "fd.c"), STATUS_UNAVAILABLE);
    assert_int_equal(pg_status("XX000", "plancache.c"), STATUS_INTERNAL);
    assert_int_equal(pg_status("XX000", NULL), STATUS_INTERNAL);
    assert_int_equal(pg_status("22001", "md.c"), STATUS_INTERNAL);
}

static void test_pg_status_lost_sessions_differ_from_faults(void **state)
{
    (void)state;
    assert_true(pg_status_spoils_session("57P01"));
    assert_true(pg_status_spoils_session("08006"));
    assert_true(pg_status_spoils_session("25006"));
    assert_true(pg_status_spoils_session("25P03"));
    assert_false(pg_status_spoils_session("08P01"));
    assert_false(pg_status_spoils_session("25P02"));
    assert_false(pg_status_spoils_session("57014"));
    assert_false(pg_status_spoils_session("23505"));
    assert_true(pg_status_quotes_values("22P02"));
    assert_false(pg_status_quotes_values("23505"));
}

static void test_pg_status_failed_connection_is_wrong_only_if_every_attempt_is(void **state)
{
#define TO_A "connection to server at \"a\" (10.0.0.1), port 5432 failed: "
    static const struct expectation expectations[] = {
        {TO_A "FATAL:  28P01\n", STATUS_INVALID_ARGUMENT},
        {TO_A "FATAL:  28P01\npassword retrieved from file \"/etc/pass\"\n", STATUS_INVALID_ARGUMENT},
        {"password retrieved from file \"/etc/pass\"\n", STATUS_UNAVAILABLE},
        {TO_A "FATAL:  28000\n" TO_A "치명적오류:  28000\n", STATUS_INVALID_ARGUMENT},
        {TO_A "FATAL:  3D000\n", STATUS_INVALID_ARGUMENT},
        {TO_A "FATAL:  42704\n", STATUS_INVALID_ARGUMENT}, /* no such option */
        {TO_A "FATAL:  22023\n", STATUS_INVALID_ARGUMENT}, /* a value that the setting does not allow */
        {TO_A "FATAL:  unsupported startup parameter: options\n", STATUS_INVALID_ARGUMENT},
        {TO_A "FATAL:  08P01\n", STATUS_UNAVAILABLE}, /* a pooler uses this code for everything */
        {TO_A "FATAL:  57P03\n", STATUS_UNAVAILABLE},
        {TO_A "FATAL:  53300\n", STATUS_UNAVAILABLE},
        {TO_A "Connection refused\n\tIs the server running on that host?\n" TO_A "FATAL:  28P01\n",
         STATUS_UNAVAILABLE},
        {TO_A "timeout expired\n", STATUS_UNAVAILABLE},
        {"could not translate host name \"a\" to address: Name or service not known\n", STATUS_UNAVAILABLE},
        {"invalid sslmode value: \"perhaps\"\n", STATUS_INVALID_ARGUMENT},
        {TO_A "invalid integer value \"soon\" for connection option \"connect_timeout\"\n",
         STATUS_INVALID_ARGUMENT},
        {"", STATUS_UNAVAILABLE},
        {"28P01", STATUS_UNAVAILABLE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof expectations / sizeof expectations[0]; i++)
        if (pg_status_of_connection(expectations[i].text) != expectations[i].status)
            fail_msg("%s", expectations[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pg_status_every_known_sqlstate_has_its_status),
        cmocka_unit_test(test_pg_status_internal_errors_of_the_storage_are_unavailable),
        cmocka_unit_test(test_pg_status_lost_sessions_differ_from_faults),
        cmocka_unit_test(test_pg_status_failed_connection_is_wrong_only_if_every_attempt_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
