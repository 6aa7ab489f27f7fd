#include "broker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/unit_testing.h"

static const struct broker_options NONE = {
    .url = "nats://127.0.0.1:4222", .token = "", .credentials = "", .ca = "", .certificate = "", .key = ""};

static void expect_refused(const struct broker_options *options, const char *message)
{
    struct error error = {0};
    assert_int_equal(broker_check(options, &error), STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.message, message);
}

static void test_broker_check_accepts_servers(void **state)
{
    (void)state;
    static const char *const urls[] = {"nats://127.0.0.1:4222", "nats://localhost:4222,nats://[::1]:4223",
                                       "tls://nats.example:4222,tls://10.0.0.7:4222"};
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        struct broker_options options = NONE;
        struct error error = {0};
        options.url = urls[i];
        assert_int_equal(broker_check(&options, &error), STATUS_OK);
    }
}

static void test_broker_check_names_what_is_wrong_with_the_servers(void **state)
{
    (void)state;
    static const struct {
        const char *url, *message;
    } cases[] = {
        {"", "nats-url: : must be nats://HOST:PORT or tls://HOST:PORT"},
        {"nats://a", "nats-url: nats://a: must be nats://HOST:PORT or tls://HOST:PORT"},
        {"tcp://a:1", "nats-url: tcp://a:1: must be nats://HOST:PORT or tls://HOST:PORT"},
        {"tls://a:1,", "nats-url: : must be nats://HOST:PORT or tls://HOST:PORT"},
        {"tls://a:1,nats://127.0.0.1:1", "nats-url: must be nats:// for all servers, or tls:// for all"},
        {"nats://127.0.0.1:1,nats://a:1",
         "nats-url: events would be sent in clear to nats://a:1: use tls://, unless --insecure is given"},
        {"tls://user:secret@a:1", "nats-url: contains a secret, which others can read: use --nats-token or "
                                  "--nats-credentials"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct broker_options options = NONE;
        options.url = cases[i].url;
        expect_refused(&options, cases[i].message);
    }
    struct broker_options options = NONE;
    struct error error = {0};
    options.url = "nats://a:1";
    options.insecure = true;
    assert_int_equal(broker_check(&options, &error), STATUS_OK);
}

static void test_broker_check_names_options_that_do_not_go_together(void **state)
{
    (void)state;
    struct broker_options options = NONE;
    options.token = options.credentials = "/x";
    expect_refused(&options, "nats-token: cannot be given together with --nats-credentials");
    options = NONE;
    options.certificate = "/x";
    expect_refused(&options, "nats-certificate: must be given together with --nats-key");
    options.key = "/x";
    expect_refused(&options, "nats-certificate: needs tls:// in --nats-url");
    options.ca = "/x";
    expect_refused(&options, "nats-ca: needs tls:// in --nats-url");
}

static void test_broker_check_refuses_a_secret_that_others_can_read(void **state)
{
    (void)state;
    char path[] = "/tmp/broker-test-XXXXXX", message[128];
    struct broker_options options = NONE;
    struct error error = {0};
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, "s3cret\n", 7) == 7 && close(fd) == 0);
    options.token = path;
    assert_int_equal(broker_check(&options, &error), STATUS_OK);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(broker_check(&options, &error), STATUS_INVALID_ARGUMENT);
    assert_int_equal(strncmp(error.message, "nats-token: ", strlen("nats-token: ")), 0);
    assert_null(strstr(error.message, "s3cret"));
    assert_int_equal(unlink(path), 0);
    options.token = "";
    options.credentials = path;
    (void)snprintf(message, sizeof message, "nats-credentials: %s: ", path);
    assert_int_equal(broker_check(&options, &error), STATUS_INVALID_ARGUMENT);
    assert_int_equal(strncmp(error.message, message, strlen(message)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_broker_check_accepts_servers),
        cmocka_unit_test(test_broker_check_names_what_is_wrong_with_the_servers),
        cmocka_unit_test(test_broker_check_names_options_that_do_not_go_together),
        cmocka_unit_test(test_broker_check_refuses_a_secret_that_others_can_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
