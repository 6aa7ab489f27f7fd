#include <string.h>

#include "base/unit_testing.h"
#include "db/db.h"

static void test_url_well_formed_is_accepted(void **state)
{
    static const char *const urls[] = {
        "sqlite:x.db",
        "sqlite:/var/lib/x y.db",
        "postgresql://",
        "postgresql:///db?host=/run/postgresql",
        "postgres://me@host/db",
        "postgresql://me:p%40ss%2Fword@host:5432/db?application_name=a@b",
        "postgresql://a:1,b:2/db?target_session_attrs=read-write",
        "postgresql://me:what?ever@host/db",
    };
    struct error error = {0};

    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++)
        if (db_url_check(urls[i], &error) != STATUS_OK)
            fail_msg("%s: %s", urls[i], error.message);
}

static void test_url_malformed_is_refused_without_its_password(void **state)
{
    static const char *const urls[] = {
        "",
        "sqlite:",
        "mysql://me:secret@host/db",
        "postgresql:/me:secret@host/db",
        "postgresql://me:sec@secret@host/db",
        "postgresql://me:12/secret@host/db",
        "postgresql://me:secret/x@host/db",
        "postgresql://me:12/x?secret@host/db",
        "postgresql://me:secret%zz@host/db",
        "postgresql://me:%00secret@host/db",
        "postgresql://me:secret@host:port/db",
        "postgresql://me:secret@[::1/db",
        "postgresql://me:secret@host/db?colour=blue",
        "postgresql://me@host/db?password=secret&colour=blue",
        "postgresql://me:secret@host/db?connect_timeout",
    };
    struct error error = {0};

    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        if (db_url_check(urls[i], &error) != STATUS_INVALID_ARGUMENT)
            fail_msg("%s was accepted", urls[i]);
        if (strstr(error.message, "sec") != NULL)
            fail_msg("%s: %s", urls[i], error.message);
        assert_int_equal(strncmp(error.message, "database: ", strlen("database: ")), 0);
        assert_null(strchr(error.message, '\n'));
    }
}

static void expect_redacted(const char *url, const char *expected)
{
    char out[128];
    assert_string_equal(db_url_redact(url, out, sizeof out), expected);
}

static void test_url_redacted_has_no_password(void **state)
{
    char small[16];
    (void)state;
    expect_redacted("sqlite:/a:b@c", "sqlite:/a:b@c");
    expect_redacted("postgresql://me@host:1/db?x=1", "postgresql://me@host:1/db?x=1");
    expect_redacted("postgresql://me:secret@host/db?x=1&y=2", "postgresql://me:***@host/db?x=1&y=2");
    expect_redacted("postgresql://me:se@cr/et@host/db", "postgresql://me:***@host/db");
    expect_redacted("postgres:///db?password=secret&host=h", "postgres:///db?password=***&host=h");
    expect_redacted("postgres:///db?host=h&sslpassword=secret", "postgres:///db?host=h&sslpassword=***");
    assert_string_equal(db_url_redact("postgresql://me:secret@host", small, sizeof small), "postgresql://me");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_url_well_formed_is_accepted),
        cmocka_unit_test(test_url_malformed_is_refused_without_its_password),
        cmocka_unit_test(test_url_redacted_has_no_password),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
