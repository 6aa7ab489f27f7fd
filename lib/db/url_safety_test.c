#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/unit_testing.h"
#include "db/url_safety.h"

static int forget_environment(void **state)
{
    static const char *const names[] = {"PGHOST",    "PGHOSTADDR",    "PGSSLMODE",
                                        "PGSERVICE", "PGSERVICEFILE", "PGPASSWORD"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_int_equal(unsetenv(names[i]), 0);
    return 0;
}

static void test_a_password_is_seen_wherever_it_is_in_the_url(void **state)
{
    (void)state;
    assert_true(db_url_has_password("postgresql://me:secret@/db"));
    assert_true(db_url_has_password("postgres:///db?password=secret"));
    assert_true(db_url_has_password("postgresql://h/db?sslmode=verify-full&sslpassword=secret"));
    assert_false(db_url_has_password("postgresql://me@h:5432/db?passfile=/etc/pass"));
    assert_false(db_url_has_password("postgresql://me:@h/db"));
    assert_false(db_url_has_password("sqlite:/a:b@c?password=x"));
}

static void test_a_connection_on_this_machine_needs_no_proof(void **state)
{
    static const char *const urls[] = {
        "sqlite:x.db",
        "postgresql://",
        "postgresql:///db?host=/run/postgresql",
        "postgresql:///db?host=@abstract",
        "postgresql://me@localhost:1/db",
        "postgresql://127.0.0.9/db",
        "postgresql://[::1]/db",
        "postgresql://localhost,127.0.0.1:2/db?sslmode=disable",
        "postgresql://db.example/db?hostaddr=127.0.0.1",
    };
    struct error error = {0};
    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++)
        if (db_url_check_transport(urls[i], &error) != STATUS_OK)
            fail_msg("%s: %s", urls[i], error.message);
}

static void expect_open(const char *url, const char *host)
{
    struct error error = {0};
    char message[ERROR_MESSAGE_SIZE];
    (void)snprintf(message, sizeof message,
                   "database: %s is not this machine: the URL needs sslmode=verify-full", host);
    assert_int_equal(db_url_check_transport(url, &error), STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.message, message);
}

static void test_a_server_elsewhere_must_prove_who_it_is(void **state)
{
    struct error error = {0};
    (void)state;
    expect_open("postgresql://me:secret@db.example/db", "db.example");
    expect_open("postgresql://db.example/db?sslmode=require", "db.example");
    expect_open("postgresql://db.example/db?sslmode=verify-ca", "db.example");
    expect_open("postgresql://localhost,10.0.0.1,/db", "10.0.0.1");
    expect_open("postgresql://localhost.example/db", "localhost.example");
    expect_open("postgresql://[fe80::1]/db", "fe80::1");
    expect_open("postgresql://127.1/db", "127.1"); /* the resolver's to interpret */
    expect_open("postgresql://localhost/db?hostaddr=192.0.2.1", "192.0.2.1");
    expect_open("postgresql://localhost,db.example/db?hostaddr=127.0.0.1,", "db.example");
    expect_open("postgresql://localhost,db.example/db?hostaddr=127.0.0.1,192.0.2.1", "192.0.2.1");
    assert_int_equal(
        db_url_check_transport("postgresql://a.example,b.example/db?sslmode=verify-full", &error), STATUS_OK);
}

static void test_what_the_url_leaves_open_comes_from_the_environment(void **state)
{
    struct error error = {0};
    (void)state;
    assert_int_equal(setenv("PGHOST", "db.example", 1), 0);
    expect_open("postgresql:///db", "db.example");
    assert_int_equal(db_url_check_transport("postgresql://localhost/db", &error), STATUS_OK);
    assert_int_equal(setenv("PGSSLMODE", "verify-full", 1), 0);
    assert_int_equal(db_url_check_transport("postgresql:///db", &error), STATUS_OK);
    expect_open("postgresql:///db?sslmode=prefer", "db.example");
    assert_int_equal(unsetenv("PGSSLMODE"), 0);
    assert_int_equal(setenv("PGHOSTADDR", "127.0.0.1", 1), 0);
    assert_int_equal(db_url_check_transport("postgresql:///db", &error), STATUS_OK);
}

static void test_several_hosts_are_seen_wherever_they_are(void **state)
{
    (void)state;
    assert_true(db_url_has_several_hosts("postgresql://a,b/db"));
    assert_true(db_url_has_several_hosts("postgresql:///db?host=/one,/two&port=5432"));
    assert_true(db_url_has_several_hosts("postgresql://a/db?hostaddr=127.0.0.1,127.0.0.2"));
    assert_false(db_url_has_several_hosts("postgresql://a/db?options=-cx%3D1,2"));
    assert_false(db_url_has_several_hosts("postgresql:///db"));
    assert_false(db_url_has_several_hosts("sqlite:a,b"));
    assert_int_equal(setenv("PGHOST", "a,b", 1), 0);
    assert_true(db_url_has_several_hosts("postgresql:///db"));
    assert_false(db_url_has_several_hosts("postgresql://a/db"));
}

static void test_an_empty_option_of_the_url_is_not_taken_from_the_environment(void **state)
{
    (void)state;
    assert_int_equal(setenv("PGHOSTADDR", "127.0.0.1", 1), 0);
    expect_open("postgresql://db.example/db?hostaddr=", "db.example");
    assert_int_equal(setenv("PGSSLMODE", "verify-full", 1), 0);
    expect_open("postgresql://db.example/db?hostaddr=&sslmode=", "db.example");
}

static void expect_service_refused(const char *url)
{
    struct error error = {0};
    assert_int_equal(db_url_check_transport(url, &error), STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.message, "database: the service far may lead to another machine: the URL needs "
                                       "sslmode=verify-full");
}

static void test_a_service_file_does_not_bypass_the_check(void **state)
{
    char path[] = "/tmp/url-safety-XXXXXX";
    static const char content[] = "[far]\nhost=db.example\nhostaddr=192.0.2.1\nsslmode=disable\n";
    struct error error = {0};
    (void)state;
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, content, strlen(content)), strlen(content));
    assert_int_equal(close(file), 0);
    assert_int_equal(setenv("PGSERVICEFILE", path, 1), 0);
    /* libpq takes hostaddr and sslmode from the file in all of these. */
    assert_int_equal(setenv("PGHOSTADDR", "127.0.0.1", 1), 0);
    assert_int_equal(setenv("PGSSLMODE", "verify-full", 1), 0);
    expect_service_refused("postgresql:///db?service=far");
    expect_service_refused("postgresql://localhost/db?service=far");
    expect_service_refused("postgresql://localhost/db?service=far&sslmode=require");
    assert_int_equal(setenv("PGSERVICE", "far", 1), 0);
    expect_service_refused("postgresql://localhost/db");
    assert_int_equal(db_url_check_transport("postgresql:///db?sslmode=verify-full", &error), STATUS_OK);
    assert_int_equal(db_url_check_transport("sqlite:x.db", &error), STATUS_OK);
    assert_int_equal(unlink(path), 0);
}

static void test_a_password_in_the_environment_is_seen(void **state)
{
    (void)state;
    assert_false(db_url_takes_password_from_environment("postgresql:///db"));
    assert_int_equal(setenv("PGPASSWORD", "secret", 1), 0);
    assert_true(db_url_takes_password_from_environment("postgresql:///db"));
    assert_false(db_url_takes_password_from_environment("sqlite:x.db"));
}

static void test_a_file_of_passwords_that_others_can_read_is_refused(void **state)
{
    char path[] = "/tmp/url-safety-XXXXXX", url[80], message[ERROR_MESSAGE_SIZE];
    struct error error = {0};
    (void)state;
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, "*:*:*:*:secret\n", 15), 15);
    (void)snprintf(url, sizeof url, "postgresql:///db?passfile=%s", path);
    assert_int_equal(db_url_check_passfile(url, &error), STATUS_OK);
    assert_int_equal(fchmod(file, 0640), 0);
    assert_int_equal(db_url_check_passfile(url, &error), STATUS_INVALID_ARGUMENT);
    (void)snprintf(message, sizeof message,
                   "database: passfile: %s: its mode is 0640: only its owner may read it (chmod 600)", path);
    assert_string_equal(error.message, message);
    assert_int_equal(db_url_check_passfile("postgresql:///db", &error), STATUS_OK);
    assert_int_equal(db_url_check_passfile("sqlite:x?passfile=/none", &error), STATUS_OK);
    assert_int_equal(close(file), 0);
    assert_int_equal(unlink(path), 0);
}

static void expect_well_known(int file, const char *url, const char *text, int line)
{
    struct error error = {0};
    char words[40];
    assert_int_equal(ftruncate(file, 0), 0);
    assert_int_equal(pwrite(file, text, strlen(text), 0), strlen(text));
    enum status status = db_url_check_well_known(url, &error);
    if (line == 0 && status != STATUS_OK)
        fail_msg("%s: %s", text, error.message);
    if (line == 0)
        return;
    (void)snprintf(words, sizeof words, ": line %d: a well-known password", line);
    assert_int_equal(status, STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, words));
}

static void test_a_well_known_password_is_refused(void **state)
{
    char path[] = "/tmp/url-safety-XXXXXX", url[80];
    struct error error = {0};
    (void)state;
    int file = mkstemp(path);
    assert_true(file >= 0);
    (void)snprintf(url, sizeof url, "postgresql:///db?passfile=%s", path);
    expect_well_known(file, url, "*:*:*:me:9f5b3c0ad17e\n", 0);
    expect_well_known(file, url, "*:*:*:me:a\\:postgres\n", 0);
    expect_well_known(file, url, "# *:*:*:me:postgres\n\n*:*:*:me:x9f5b3c0ad17e", 0);
    expect_well_known(file, url, "*:*:*:me:postgres\n", 1);
    expect_well_known(file, url, "*:*:*:me:9f5b3c0ad17e\n\\:\\:1:*:*:you:ChangeMe\r\n", 2);
    expect_well_known(file, url, "*:*:*:hospital:Hospital", 1);
    expect_well_known(file, "postgresql:///db?passfile=/nowhere", "", 0);
    expect_well_known(file, url, "*:*:*:*:9f5b3c0ad17e\n*:*:*:*:History\n", 0);
    expect_well_known(file, url, "*:*:*:hospital:pass\\word", 1);
    expect_well_known(file, url, "*:*:*:me:\n", 1);
    expect_well_known(file, url, "*:*:*:me", 1);
    (void)snprintf(url, sizeof url, "postgresql://history@/db?passfile=%s", path);
    expect_well_known(file, url, "*:*:*:*:9f5b3c0ad17e\n*:*:*:*:History\n", 2);
    assert_int_equal(fchmod(file, 0640), 0); /* which is refused as such */
    assert_int_equal(db_url_check_well_known(url, &error), STATUS_OK);
    assert_int_equal(db_url_check_well_known("postgresql:///db", &error), STATUS_OK);
    assert_int_equal(db_url_check_well_known("sqlite:x?passfile=/none", &error), STATUS_OK);
    assert_int_equal(close(file), 0);
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_password_is_seen_wherever_it_is_in_the_url),
        cmocka_unit_test_setup(test_a_connection_on_this_machine_needs_no_proof, forget_environment),
        cmocka_unit_test_setup(test_a_server_elsewhere_must_prove_who_it_is, forget_environment),
        cmocka_unit_test_setup_teardown(test_what_the_url_leaves_open_comes_from_the_environment,
                                        forget_environment, forget_environment),
        cmocka_unit_test_setup_teardown(test_several_hosts_are_seen_wherever_they_are, forget_environment,
                                        forget_environment),
        cmocka_unit_test_setup_teardown(test_an_empty_option_of_the_url_is_not_taken_from_the_environment,
                                        forget_environment, forget_environment),
        cmocka_unit_test_setup_teardown(test_a_service_file_does_not_bypass_the_check, forget_environment,
                                        forget_environment),
        cmocka_unit_test_setup_teardown(test_a_password_in_the_environment_is_seen, forget_environment,
                                        forget_environment),
        cmocka_unit_test(test_a_file_of_passwords_that_others_can_read_is_refused),
        cmocka_unit_test(test_a_well_known_password_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
