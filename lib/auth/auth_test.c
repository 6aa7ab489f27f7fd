#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/auth.h"
#include "auth/token_testing.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/unit_testing.h"

#include "screening/v1/words.h"

/* Writes key sets in which "ec" is another key. */
static void write_other_key(const struct world *world)
{
    char *text = test_text("{\"keys\":[{\"kid\":\"ec\",%s}]}", world->other.public_members);
    test_write(&world->folder, "clinic.jwks.json", text);
    free(text);
}

static void reload(struct world *world)
{
    if (auth_reload(world->auth, &world->error) != STATUS_OK)
        fail_msg("%s", world->error.message);
}

static void assert_reload_fails(struct world *world, const char *end_of_message)
{
    assert_int_equal(auth_reload(world->auth, &world->error), STATUS_INVALID_ARGUMENT);
    const size_t length = strlen(world->error.message);
    assert_true(length >= strlen(end_of_message));
    assert_string_equal(world->error.message + length - strlen(end_of_message), end_of_message);
}

static void test_a_remembered_token_is_not_verified_again(void **state)
{
    struct world *world = *state;
    char *token = token_with(world, ",\"access\":{\"roles\":\"desk\"},"
                                    "\"places\":[\"018f0000-0000-7000-8000-000000000001\"]");
    const int64_t before = world_verified();
    for (int i = 0; i < 3; i++) {
        assert_accepted(world, strdup(token));
        assert_string_equal(world->caller->subject, "kim");
        assert_int_equal(world->caller->roles, AUTH_STAFF);
        assert_int_equal(world->caller->scope_count, 1);
        assert_int_equal(world_verified(), before + 1);
    }
    free(token);
}

static void test_a_token_that_was_refused_is_not_remembered(void **state)
{
    struct world *world = *state;
    char *token = token_with(world, ",\"nbf\":1800000100");
    assert_refused(world, strdup(token), "the token is not valid yet");
    world_now_us += (int64_t)100 * US_PER_S;
    assert_accepted(world, token);
}

static void test_a_remembered_token_expires(void **state)
{
    struct world *world = *state;
    char *token = token_with(world, "");
    assert_accepted(world, strdup(token));
    world_now_us += (int64_t)660 * US_PER_S - 1;
    assert_accepted(world, strdup(token));
    world_now_us++;
    assert_int_equal(world_check(world, token), STATUS_UNAUTHENTICATED);
    assert_string_equal(world->error.reason, SCREENING_REASON_TOKEN_EXPIRED);
}

static void test_a_reload_forgets_tokens_of_a_withdrawn_key(void **state)
{
    struct world *world = *state;
    char *token = token_with(world, "");
    assert_accepted(world, strdup(token));
    write_other_key(world);
    assert_accepted(world, strdup(token)); /* until the reload */
    reload(world);
    assert_refused(world, strdup(token), "the token's signature is wrong");
    test_write(&world->folder, "clinic.jwks.json", "{\"keys\":[]}");
    reload(world);
    assert_refused(world, strdup(token), "the token's key is unknown");
    world_write_keys(world);
    reload(world);
    assert_accepted(world, token);
}

static void test_a_replaced_key_counts_until_its_end(void **state)
{
    struct world *world = *state;
    char *token = token_with(world, "");
    world_write_key_with(world, ",\"exp\":1800000300");
    assert_accepted(world, strdup(token));
    assert_int_equal(world->caller->until_us, (int64_t)1800000300 * US_PER_S);
    world_now_us = (int64_t)1800000300 * US_PER_S - 1;
    assert_accepted(world, strdup(token));
    assert_true(auth_still_counts(world->auth, world->caller));
    world_now_us++;
    assert_false(auth_still_counts(world->auth, world->caller));
    assert_int_equal(world_check(world, strdup(token)), STATUS_UNAUTHENTICATED); /* a remembered token */
    assert_refused(world, token_with(world, ",\"nbf\":1"), "the token's key is unknown");
    world_write_key_with(world, ",\"exp\":\"soon\"");
    assert_refused(world, token_with(world, ",\"nbf\":2"), "the token's key is unknown");
    world_write_key_with(world, "");
    assert_accepted(world, token);
}

static void test_a_caller_counts_as_long_as_its_token_would(void **state)
{
    struct world *world = *state;
    char *token = token_with(world, "");
    assert_accepted(world, strdup(token));
    const struct auth_caller caller = *world->caller;
    assert_true(auth_still_counts(world->auth, &caller));
    world_write_key_with(
        world, ",\"exp\":1900000000"); /* the other key of the issuer is gone, this one is replaced */
    assert_true(auth_still_counts(world->auth, &caller));
    write_other_key(world);
    auth_look_after(world->auth);
    assert_false(auth_still_counts(world->auth, &caller)); /* another key with the same id */
    world_write_keys(world);
    auth_look_after(world->auth);
    assert_true(auth_still_counts(world->auth, &caller));
    test_write(
        &world->folder, "issuers.json",
        "{\"issuers\":[{\"issuer\":\"clinic\",\"audience\":\"screening\",\"keys\":\"clinic.jwks.json\","
        "\"roles\":{\"always\":\"auditor\"}}]}");
    auth_look_after(world->auth);
    assert_false(auth_still_counts(world->auth, &caller)); /* the same key, but it means something else */
    assert_accepted(world, token);
    assert_true(auth_still_counts(world->auth, world->caller));
    world_now_us += (int64_t)660 * US_PER_S;
    assert_false(auth_still_counts(world->auth, world->caller));
}

static void test_the_same_subject_of_two_issuers_is_told_apart(void **state)
{
    struct world *world = *state;
    assert_accepted(world, token_with(world, ""));
    const struct auth_caller clinic = *world->caller;
    assert_accepted(
        world, test_sign(&world->other, ES_HEADER,
                         "{\"iss\":\"other\",\"aud\":\"booking-svc\",\"sub\":\"kim\",\"exp\":1800000600}"));
    assert_string_equal(world->caller->subject, clinic.subject);
    assert_memory_not_equal(world->caller->issuer, clinic.issuer, sizeof clinic.issuer);
    test_write(
        &world->folder, "issuers.json",
        "{\"issuers\":[{\"issuer\":\"clinic\",\"audience\":\"screening\",\"keys\":\"clinic.jwks.json\","
        "\"roles\":{\"always\":\"customer\"},\"subject_prefix\":\"clinic:\"}]}");
    auth_look_after(world->auth);
    assert_accepted(world, token_with(world, ""));
    assert_string_equal(world->caller->subject, "clinic:kim");
    assert_memory_equal(world->caller->issuer, clinic.issuer, sizeof clinic.issuer);
    for (int length = 57; length <= 58; length++) { /* 64 bytes with the prefix, and 65 */
        char *claims = test_text(
            "{\"iss\":\"clinic\",\"aud\":\"screening\",\"sub\":\"%0*d\",\"exp\":1800000600}", length, 7);
        if (length == 57)
            assert_accepted(world, signed_by_curve(world, claims));
        else
            assert_refused(world, signed_by_curve(world, claims),
                           "the token's sub must be a text of 1 to 64 bytes");
    }
}

static void test_a_failed_reload_keeps_the_issuers(void **state)
{
    struct world *world = *state;
    char *token = token_with(world, "");
    assert_accepted(world, strdup(token));
    test_remove(&world->folder, "clinic.jwks.json");
    assert_reload_fails(world, "clinic.jwks.json: No such file or directory");
    assert_accepted(world, strdup(token));
    test_write(&world->folder, "clinic.jwks.json", "{\"keys\":[{\"kid\":\"ec\",\"kty\":\"EC\",\"x\":\"A");
    assert_reload_fails(world, "line 1, column 38: premature end of input");
    assert_accepted(world, strdup(token));
    world_write_keys(world);
    test_remove(&world->folder, "issuers.json");
    assert_reload_fails(world, "issuers.json: No such file or directory");
    assert_accepted(world, token);
}

static char *token_of_other(const struct test_key *key)
{
    return test_sign(key, ES_HEADER,
                     "{\"iss\":\"other\",\"aud\":\"booking-svc\",\"sub\":\"s\",\"exp\":1800000600}");
}

/* A key that was withdrawn must not live on because the file of another issuer is broken. */
static void test_a_broken_file_keeps_no_key_of_another_file_alive(void **state)
{
    struct world *world = *state;
    char *token = token_with(world, "");
    assert_accepted(world, strdup(token));
    assert_false(auth_is_stale(world->auth));
    test_write(&world->folder, "other.jwks.json", "{\"keys\":[{\"kty\":\"EC\"}]}");
    test_write(&world->folder, "clinic.jwks.json", "{\"keys\":[]}");
    auth_look_after(world->auth);
    assert_refused(world, strdup(token), "the token's key is unknown");
    assert_accepted(world, token_of_other(&world->other));
    assert_refused(world, token_of_other(&world->curve), "the token's signature is wrong");
    assert_true(auth_is_stale(world->auth));
    test_write(&world->folder, "issuers.json", "{\"issuers\":[{\"issuer\":\"clinic\"}]}");
    world_write_keys(world);
    auth_look_after(world->auth);
    assert_accepted(world, strdup(token));
    test_write(&world->folder, "clinic.jwks.json", "{\"keys\":[]}");
    auth_look_after(world->auth);
    assert_refused(world, token, "the token's key is unknown");
    assert_accepted(world, token_of_other(&world->other));
    assert_true(auth_is_stale(world->auth));
    test_write(&world->folder, "other.jwks.json", "{\"keys\":[]}");
    test_write(
        &world->folder, "issuers.json",
        "{\"issuers\":[{\"issuer\":\"other\",\"audience\":\"@program\",\"keys\":\"other.jwks.json\","
        "\"roles\":{\"always\":\"service\"}},{\"issuer\":\"third\",\"audience\":\"a\",\"keys\":\"none.json\","
        "\"roles\":{\"always\":\"service\"}}]}");
    assert_reload_fails(world, "none.json: No such file or directory");
    assert_refused(world, token_of_other(&world->other), "the token's key is unknown");
    test_write(&world->folder, "none.json", "{\"keys\":[]}");
    auth_look_after(world->auth);
    assert_false(auth_is_stale(world->auth));
}

static void test_a_new_file_is_noticed(void **state)
{
    struct world *world = *state;
    char *token = token_with(world, "");
    assert_accepted(world, strdup(token));
    auth_look_after(world->auth);
    const int64_t before = world_verified();
    assert_accepted(world, strdup(token));
    assert_int_equal(world_verified(), before); /* nothing has changed, so nothing was forgotten */
    write_other_key(world);
    auth_look_after(world->auth);
    assert_refused(world, strdup(token), "the token's signature is wrong");
    test_remove(&world->folder, "clinic.jwks.json");
    auth_look_after(world->auth);
    assert_refused(world, strdup(token), "the token's signature is wrong");
    world_write_keys(world);
    auth_look_after(world->auth);
    assert_accepted(world, strdup(token));
    test_write(&world->folder, "issuers.json",
               "{\"issuers\":[{\"issuer\":\"other\",\"audience\":\"@program\",\"keys\":\"other.jwks.json\","
               "\"roles\":{\"always\":\"service\"}}]}");
    auth_look_after(world->auth);
    assert_refused(world, token, "the token's issuer is unknown");
}

/* Counts the lines of the log instead of writing them. */
static int reloads_logged, failures_logged;

void __wrap_log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count);

void __wrap_log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
    (void)level, (void)fields, (void)count;
    reloads_logged += strcmp(event, "auth.reloaded") == 0;
    failures_logged += strcmp(event, "auth.reload_failed") == 0;
}

static void test_a_failure_is_logged_once_for_each_change(void **state)
{
    struct world *world = *state;
    reloads_logged = failures_logged = 0;
    test_remove(&world->folder, "other.jwks.json");
    for (int i = 0; i < 3; i++)
        auth_look_after(world->auth);
    assert_int_equal(failures_logged, 1);
    test_write(&world->folder, "other.jwks.json", "{");
    for (int i = 0; i < 3; i++)
        auth_look_after(world->auth);
    assert_int_equal(failures_logged, 2);
    assert_int_equal(reloads_logged, 0);
    test_write(&world->folder, "other.jwks.json", "{\"keys\":[]}");
    for (int i = 0; i < 3; i++)
        auth_look_after(world->auth);
    assert_int_equal(failures_logged, 2);
    assert_int_equal(reloads_logged, 1);
}

/* Writes the first `size` bytes of `text` into the file as it is. */
static void write_part(const struct world *world, const char *text, size_t size, int mode)
{
    char *path = test_path(&world->folder, "clinic.jwks.json");
    int file = open(path, O_WRONLY | O_CLOEXEC | mode);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, size), (ssize_t)size);
    assert_int_equal(close(file), 0);
    free(path);
}

/* A file that is written in place, and read at each step. */
static void test_a_file_that_is_half_written_changes_nothing(void **state)
{
    struct world *world = *state;
    char *mine = token_with(world, "");
    char *claims = claims_with("");
    char *theirs = test_sign(&world->other, ES_HEADER, claims);
    char *text = test_text("{\"keys\":[{\"kid\":\"ec\",%s}]}", world->other.public_members);
    const size_t size = strlen(text);
    write_part(world, text, 1, O_TRUNC);
    for (size_t at = 1; at < size; at++) {
        auth_look_after(world->auth);
        assert_accepted(world, strdup(mine));
        write_part(world, text + at, 1, O_APPEND);
    }
    auth_look_after(world->auth);
    assert_accepted(world, strdup(theirs));
    assert_refused(world, mine, "the token's signature is wrong");
    free(claims);
    free(theirs);
    free(text);
}

enum { CHECKERS = 3, RELOADS = 40 };

/* What threads check while another one reloads. */
struct race {
    struct world *world;
    const char *authorizations[2]; /* one for each of two key sets */
    atomic_bool done;
    atomic_int accepted;
};

/* Sets *accepted to whether the first and the second token are accepted. */
static void check_both(const struct race *race, bool accepted[2])
{
    struct arena arena;
    const struct auth_caller *caller;
    arena_init(&arena);
    for (int i = 0; i < 2; i++) {
        struct error error;
        accepted[i] = auth_check(race->world->auth, race->authorizations[i], AUTH_TRUSTED_PLACE, &arena,
                                 &caller, &error) == STATUS_OK;
        if (accepted[i] && strcmp(caller->subject, "kim") != 0)
            abort(); /* cmocka can fail a test only in its own thread */
        if (!accepted[i] && strcmp(error.message, "authorization: the token's signature is wrong") != 0)
            abort(); /* half of a set would have no key or no issuer */
    }
    arena_fini(&arena);
}

static void *run_checks(void *argument)
{
    struct race *race = argument;
    while (!atomic_load(&race->done)) {
        bool accepted[2];
        check_both(race, accepted);
        atomic_fetch_add(&race->accepted, accepted[0] + accepted[1]);
    }
    return NULL;
}

static void test_checks_during_reloads_use_whole_sets(void **state)
{
    struct world *world = *state;
    struct race race = {.world = world};
    pthread_t threads[CHECKERS];
    bool accepted[2];
    int wrong = 0;
    char *claims = claims_with("");
    char *tokens[2] = {test_sign(&world->curve, ES_HEADER, claims),
                       test_sign(&world->other, ES_HEADER, claims)};
    char *authorizations[2] = {test_text("Bearer %s", tokens[0]), test_text("Bearer %s", tokens[1])};
    race.authorizations[0] = authorizations[0];
    race.authorizations[1] = authorizations[1];
    for (int i = 0; i < CHECKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_checks, &race), 0);
    for (int i = 0; i < RELOADS; i++) {
        if (i % 2 == 0)
            write_other_key(world);
        else
            world_write_keys(world);
        reload(world);
        /* A check that begins after the reload uses the new set, whatever the other threads remember. */
        check_both(&race, accepted);
        wrong += accepted[0] != (i % 2 == 1) || accepted[1] != (i % 2 == 0);
    }
    atomic_store(&race.done, true);
    for (int i = 0; i < CHECKERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(wrong, 0); /* now that no thread uses the world */
    assert_true(atomic_load(&race.accepted) > 0);
    for (int i = 0; i < 2; i++) {
        free(tokens[i]);
        free(authorizations[i]);
    }
    free(claims);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_a_remembered_token_is_not_verified_again),
        WORLD_TEST(test_a_token_that_was_refused_is_not_remembered),
        WORLD_TEST(test_a_remembered_token_expires),
        WORLD_TEST(test_a_reload_forgets_tokens_of_a_withdrawn_key),
        WORLD_TEST(test_a_replaced_key_counts_until_its_end),
        WORLD_TEST(test_a_caller_counts_as_long_as_its_token_would),
        WORLD_TEST(test_the_same_subject_of_two_issuers_is_told_apart),
        WORLD_TEST(test_a_failed_reload_keeps_the_issuers),
        WORLD_TEST(test_a_broken_file_keeps_no_key_of_another_file_alive),
        WORLD_TEST(test_a_new_file_is_noticed),
        WORLD_TEST(test_a_failure_is_logged_once_for_each_change),
        WORLD_TEST(test_a_file_that_is_half_written_changes_nothing),
        WORLD_TEST(test_checks_during_reloads_use_whole_sets),
    };
    return cmocka_run_group_tests(tests, world_make_keys, world_free_keys);
}
