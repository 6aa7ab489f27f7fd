#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "auth/auth.h"
#include "auth/auth_testing.h"
#include "auth/signer.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/unit_testing.h"

static const int64_t START_US = INT64_C(1800000000000000);

static int64_t now_us;

static int64_t test_clock(void)
{
    return now_us;
}

struct world {
    struct test_folder folder;
    struct test_key key;
    struct arena arena;
    const char *token; /* the latest one */
};

static int world_setup(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    now_us = START_US;
    clock_replace(test_clock);
    arena_init(&world->arena);
    test_folder_init(&world->folder);
    world->key = test_key_make(TEST_ES256, "P-256");
    *state = world;
    return 0;
}

static int world_teardown(void **state)
{
    struct world *world = *state;
    test_key_free(&world->key);
    test_folder_fini(&world->folder);
    arena_fini(&world->arena);
    clock_replace(NULL);
    free(world);
    return 0;
}

static void write_private_key(const struct world *world, const struct test_key *key)
{
    char *text = test_text("{\"kid\":\"k1\",%s}", key->private_members);
    test_write(&world->folder, "key.json", text);
    free(text);
}

static enum status try_open(const struct world *world, struct auth_signer **out, struct error *error)
{
    char *path = test_path(&world->folder, "key.json");
    enum status status = auth_signer_open(path, "booking-svc", out, error);
    free(path);
    return status;
}

static struct auth_signer *open_signer(const struct world *world)
{
    struct auth_signer *signer;
    struct error error;
    if (try_open(world, &signer, &error) != STATUS_OK)
        fail_msg("%s", error.message);
    return signer;
}

/* Opens a verifier that knows the key's public part as that of "booking-svc". */
static struct auth *open_auth(const struct world *world, const struct test_key *key, const char *program)
{
    struct auth *auth;
    struct error error;
    char *keys = test_text("{\"keys\":[{\"kid\":\"k1\",%s}]}", key->public_members);
    test_write(&world->folder, "booking-svc.jwks.json", keys);
    free(keys);
    test_write(&world->folder, "issuers.json",
               "{\"issuers\":[{\"issuer\":\"booking-svc\",\"audience\":\"@program\","
               "\"keys\":\"booking-svc.jwks.json\",\"roles\":{\"always\":\"service\"}}]}");
    char *path = test_path(&world->folder, "issuers.json");
    if (auth_open(&(struct auth_options){path, program}, &auth, &error) != STATUS_OK)
        fail_msg("%s", error.message);
    free(path);
    return auth;
}

static const char *token_for(struct world *world, struct auth_signer *signer, const char *audience)
{
    assert_int_equal(auth_signer_token(signer, audience, &world->arena, &world->token, NULL), STATUS_OK);
    return world->token;
}

static void check_by(struct world *world, const struct test_key *key)
{
    const struct auth_caller *caller;
    write_private_key(world, key);
    struct auth_signer *signer = open_signer(world);
    struct auth *hospital = open_auth(world, key, "hospital-svc");
    const char *token = token_for(world, signer, "hospital-svc");
    assert_int_equal(auth_check(hospital, token, AUTH_TRUSTED_PLACE, &world->arena, &caller, NULL),
                     STATUS_OK);
    assert_string_equal(caller->subject, "booking-svc");
    assert_int_equal(caller->roles, AUTH_SERVICE);
    struct auth *history = open_auth(world, key, "history-svc");
    assert_int_equal(auth_check(history, token, AUTH_TRUSTED_PLACE, &world->arena, &caller, NULL),
                     STATUS_UNAUTHENTICATED);
    auth_close(hospital);
    auth_close(history);
    auth_signer_close(signer);
}

static void test_a_token_is_valid_at_the_named_service_only(void **state)
{
    struct world *world = *state;
    struct test_key rsa = test_key_make(TEST_RS256, "2048");
    check_by(world, &world->key);
    check_by(world, &rsa);
    test_key_free(&rsa);
}

static void test_a_token_is_signed_again_after_four_minutes(void **state)
{
    struct world *world = *state;
    write_private_key(world, &world->key);
    struct auth_signer *signer = open_signer(world);
    const char *first = token_for(world, signer, "hospital-svc");
    const char *other = token_for(world, signer, "history-svc");
    assert_string_not_equal(first, other);
    now_us += (int64_t)AUTH_SERVICE_TOKEN_REUSE_S * US_PER_S - 1;
    assert_string_equal(token_for(world, signer, "hospital-svc"), first);
    assert_string_equal(token_for(world, signer, "history-svc"), other);
    now_us++;
    const char *second = token_for(world, signer, "hospital-svc");
    assert_string_not_equal(second, first);
    assert_string_equal(token_for(world, signer, "hospital-svc"), second);
    auth_signer_close(signer);
}

static void test_a_token_is_signed_again_when_the_clock_was_set_back(void **state)
{
    struct world *world = *state;
    write_private_key(world, &world->key);
    struct auth_signer *signer = open_signer(world);
    const char *first = token_for(world, signer, "hospital-svc");
    now_us--;
    assert_string_not_equal(token_for(world, signer, "hospital-svc"), first);
    auth_signer_close(signer);
}

static void test_a_token_is_valid_for_five_minutes(void **state)
{
    struct world *world = *state;
    const struct auth_caller *caller;
    struct error error;
    write_private_key(world, &world->key);
    struct auth_signer *signer = open_signer(world);
    struct auth *auth = open_auth(world, &world->key, "hospital-svc");
    const char *token = token_for(world, signer, "hospital-svc");
    now_us += (int64_t)(AUTH_SERVICE_TOKEN_S + 60) * US_PER_S - 1; /* the verifier allows 60 s */
    assert_int_equal(auth_check(auth, token, AUTH_TRUSTED_PLACE, &world->arena, &caller, &error), STATUS_OK);
    now_us++;
    assert_int_equal(auth_check(auth, token, AUTH_TRUSTED_PLACE, &world->arena, &caller, &error),
                     STATUS_UNAUTHENTICATED);
    assert_string_equal(error.message, "authorization: the token has expired");
    auth_close(auth);
    auth_signer_close(signer);
}

/* Without `jti`, the claims of both tokens would be equal. */
static void test_each_token_has_its_own_id(void **state)
{
    struct world *world = *state;
    write_private_key(world, &world->key);
    struct auth_signer *signers[2] = {open_signer(world), open_signer(world)};
    const char *first = token_for(world, signers[0], "hospital-svc");
    const char *second = token_for(world, signers[1], "hospital-svc");
    const size_t claims_end = (size_t)(strrchr(first, '.') - first);
    assert_true(claims_end > 0);
    assert_memory_not_equal(first, second, claims_end);
    auth_signer_close(signers[0]);
    auth_signer_close(signers[1]);
}

/* Writes `text`, which it frees, as the key, and expects "token-key: PATH: WHAT". */
static void assert_key_refused(const struct world *world, char *text, const char *what)
{
    struct auth_signer *signer;
    struct error error;
    test_write(&world->folder, "key.json", text);
    free(text);
    assert_int_equal(try_open(world, &signer, &error), STATUS_INVALID_ARGUMENT);
    char *message = test_text("token-key: %s/key.json: %s", world->folder.path, what);
    assert_string_equal(error.message, message);
    free(message);
}

static void test_a_key_that_cannot_sign_is_refused(void **state)
{
    struct world *world = *state;
    struct test_key other = test_key_make(TEST_ES256, "P-256");
    struct test_key large = test_key_make(TEST_ES256, "P-384");
    assert_key_refused(world, strdup("{"), "line 1: must be a private key in JSON");
    assert_key_refused(world, strdup("[]"), "kty: must be EC or RSA");
    assert_key_refused(world, strdup("{\"kid\":\"k1\",\"kty\":\"oct\",\"k\":\"AAAA\"}"),
                       "kty: must be EC or RSA");
    assert_key_refused(world, test_text("{\"kid\":\"k1\",%s}", large.private_members), "crv: must be P-256");
    assert_key_refused(world, test_text("{%s}", world->key.private_members),
                       "kid: must be a text of 1 to 128 characters");
    assert_key_refused(world, test_text("{\"kid\":\"k1\",\"alg\":\"HS256\",%s}", world->key.private_members),
                       "alg: must be ES256");
    assert_key_refused(world, test_text("{\"kid\":\"k1\",%s}", world->key.public_members),
                       "d: must be a number in base64url");
    char *foreign = strstr(other.private_members, "\"d\":");
    assert_key_refused(world, test_text("{\"kid\":\"k1\",%s,%s}", world->key.public_members, foreign),
                       "d: does not belong to the public key");
    test_key_free(&other);
    test_key_free(&large);
}

static void test_a_key_file_that_others_can_read_is_refused(void **state)
{
    struct world *world = *state;
    struct auth_signer *signer;
    struct error error;
    write_private_key(world, &world->key);
    char *path = test_path(&world->folder, "key.json");
    assert_int_equal(chmod(path, S_IRUSR | S_IWUSR | S_IRGRP), 0);
    assert_int_equal(try_open(world, &signer, &error), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "its mode is 0640"));
    free(path);
}

static bool is_of(struct world *world, struct auth_signer *signer, const struct test_key *key)
{
    const struct auth_caller *caller;
    struct auth *auth = open_auth(world, key, "hospital-svc");
    const char *token = token_for(world, signer, "hospital-svc");
    enum status status = auth_check(auth, token, AUTH_TRUSTED_PLACE, &world->arena, &caller, NULL);
    auth_close(auth);
    return status == STATUS_OK;
}

static void test_a_new_key_is_used_when_others_have_had_time_to_read_it(void **state)
{
    struct world *world = *state;
    struct test_key other = test_key_make(TEST_ES256, "P-256");
    write_private_key(world, &world->key);
    struct auth_signer *signer = open_signer(world);
    assert_true(is_of(world, signer, &world->key));
    write_private_key(world, &other);
    auth_signer_look_after(signer);
    now_us += INT64_C(4999999);
    auth_signer_look_after(signer);
    assert_true(is_of(world, signer, &world->key));
    now_us += 1;
    auth_signer_look_after(signer);
    assert_true(is_of(world, signer, &other)); /* a token of the earlier key is forgotten */
    auth_signer_look_after(signer);
    assert_true(is_of(world, signer, &other));
    /* A clock that is set back delays nothing. */
    write_private_key(world, &world->key);
    auth_signer_look_after(signer);
    now_us -= INT64_C(3600000000);
    auth_signer_look_after(signer);
    assert_true(is_of(world, signer, &world->key));
    auth_signer_close(signer);
    test_key_free(&other);
}

static void test_a_reload_uses_a_new_key_at_once(void **state)
{
    struct world *world = *state;
    struct error error;
    struct test_key other = test_key_make(TEST_ES256, "P-256");
    write_private_key(world, &world->key);
    struct auth_signer *signer = open_signer(world);
    write_private_key(world, &other);
    assert_int_equal(auth_signer_reload(signer, &error), STATUS_OK);
    assert_true(is_of(world, signer, &other));
    test_write(&world->folder, "key.json", "{");
    assert_int_equal(auth_signer_reload(signer, &error), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "token-key: "));
    assert_true(is_of(world, signer, &other));
    auth_signer_close(signer);
    test_key_free(&other);
}

static void test_a_wrong_new_key_leaves_the_earlier_one_in_use(void **state)
{
    struct world *world = *state;
    struct test_key other = test_key_make(TEST_ES256, "P-256");
    write_private_key(world, &world->key);
    struct auth_signer *signer = open_signer(world);
    char *path = test_path(&world->folder, "key.json");
    write_private_key(world, &other);
    auth_signer_look_after(signer);
    test_write(&world->folder, "key.json", "{"); /* which also replaces a key that waits */
    for (int i = 0; i < 3; i++, now_us += INT64_C(5000000)) {
        auth_signer_look_after(signer);
        assert_true(is_of(world, signer, &world->key));
    }
    assert_int_equal(remove(path), 0);
    for (int i = 0; i < 3; i++, now_us += INT64_C(5000000)) {
        auth_signer_look_after(signer);
        assert_true(is_of(world, signer, &world->key));
    }
    write_private_key(world, &other);
    auth_signer_look_after(signer);
    now_us += INT64_C(5000000);
    auth_signer_look_after(signer);
    assert_true(is_of(world, signer, &other));
    auth_signer_close(signer);
    test_key_free(&other);
    free(path);
}

/* Counts the lines of the log instead of writing them. */
static int failures_logged;

void __wrap_log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count);

void __wrap_log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
    (void)level, (void)fields, (void)count;
    failures_logged += strcmp(event, "auth.key_reload_failed") == 0;
}

/* Lets the process open no file, or as many as before. */
static void allow_files(bool allowed)
{
    static struct rlimit before;
    if (!allowed)
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, allowed ? &before : &none), 0);
}

static int64_t stale_keys(void)
{
    struct metric *metric = metrics_newest();
    while (metric != NULL && strcmp(metric->name, "auth_key_stale") != 0)
        metric = metric->next;
    assert_non_null(metric);
    return metric_get(metric);
}

static void test_a_new_key_is_read_again_after_an_error_that_passes(void **state)
{
    struct world *world = *state;
    struct error error;
    struct test_key other = test_key_make(TEST_ES256, "P-256");
    write_private_key(world, &world->key);
    struct auth_signer *signer = open_signer(world);
    assert_false(auth_signer_is_stale(signer));
    write_private_key(world, &other);
    failures_logged = 0;
    allow_files(false);
    for (int i = 0; i < 3; i++, now_us += INT64_C(1000000))
        auth_signer_look_after(signer);
    const bool reloaded = auth_signer_reload(signer, &error) == STATUS_OK;
    allow_files(true);
    assert_false(reloaded);
    assert_int_equal(failures_logged, 1);
    assert_true(auth_signer_is_stale(signer));
    assert_int_equal(stale_keys(), 1);
    assert_true(is_of(world, signer, &world->key));
    auth_signer_look_after(signer); /* the file is as it was */
    assert_false(auth_signer_is_stale(signer));
    assert_int_equal(stale_keys(), 0);
    now_us += INT64_C(5000000);
    auth_signer_look_after(signer);
    assert_true(is_of(world, signer, &other));
    assert_int_equal(failures_logged, 1);
    auth_signer_close(signer);
    test_key_free(&other);
}

enum { CALLERS = 4, CALLS = 200, AUDIENCES = 3 };

static void *run_calls(void *argument)
{
    static const char *const NAMES[AUDIENCES] = {"hospital-svc", "history-svc", "booking-svc"};
    struct auth_signer *signer = argument;
    struct arena arena;
    arena_init(&arena);
    for (int i = 0; i < CALLS; i++) {
        const char *token;
        if (auth_signer_token(signer, NAMES[i % AUDIENCES], &arena, &token, NULL) != STATUS_OK ||
            strncmp(token, "Bearer ey", 9) != 0)
            abort(); /* cmocka can fail a test only in its own thread */
    }
    arena_fini(&arena);
    return NULL;
}

static void test_threads_share_a_signer(void **state)
{
    struct world *world = *state;
    pthread_t threads[CALLERS];
    write_private_key(world, &world->key);
    struct auth_signer *signer = open_signer(world);
    for (int i = 0; i < CALLERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_calls, signer), 0);
    for (int i = 0; i < CALLERS; i++) {
        assert_int_equal(auth_signer_reload(signer, NULL), STATUS_OK);
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    auth_signer_close(signer);
}

#define SIGNER_TEST(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SIGNER_TEST(test_a_token_is_valid_at_the_named_service_only),
        SIGNER_TEST(test_a_token_is_signed_again_after_four_minutes),
        SIGNER_TEST(test_a_token_is_signed_again_when_the_clock_was_set_back),
        SIGNER_TEST(test_a_token_is_valid_for_five_minutes),
        SIGNER_TEST(test_each_token_has_its_own_id),
        SIGNER_TEST(test_a_key_that_cannot_sign_is_refused),
        SIGNER_TEST(test_a_key_file_that_others_can_read_is_refused),
        SIGNER_TEST(test_a_new_key_is_used_when_others_have_had_time_to_read_it),
        SIGNER_TEST(test_a_reload_uses_a_new_key_at_once),
        SIGNER_TEST(test_a_wrong_new_key_leaves_the_earlier_one_in_use),
        SIGNER_TEST(test_a_new_key_is_read_again_after_an_error_that_passes),
        SIGNER_TEST(test_threads_share_a_signer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
