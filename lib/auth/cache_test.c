#include <stdlib.h>
#include <string.h>

#include "auth/cache.h"
#include "base/unit_testing.h"

enum { WAYS = 4, NUMBER_AT = 8 }; /* the first bytes of a code select its set */

struct fixture {
    struct auth_cache *cache;
    struct arena arena;
    struct auth_caller found;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    arena_init(&fixture->arena);
    assert_int_equal(auth_cache_open(&fixture->cache, NULL), STATUS_OK);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    auth_cache_close(fixture->cache);
    arena_fini(&fixture->arena);
    free(fixture);
    return 0;
}

struct code {
    uint8_t bytes[AUTH_CACHE_CODE_SIZE];
};

/* Returns a code that is in the same set as every other code of this function. */
static struct code code_of(uint8_t number)
{
    struct code code = {{0}};
    code.bytes[NUMBER_AT] = number;
    return code;
}

static struct auth_caller caller_of(const char *subject)
{
    return (struct auth_caller){.roles = AUTH_CUSTOMER, .subject = subject, .until_us = 7};
}

static void put(struct fixture *fixture, uint8_t number, const char *subject)
{
    const struct auth_caller token = caller_of(subject);
    const uint64_t generation = auth_cache_generation(fixture->cache);
    auth_cache_put(fixture->cache, code_of(number).bytes, &token, INT64_MAX, generation);
}

/* Judges: nothing counts, or only a grant that begins with 4, whose key ends at 6. */
static bool refuse_all(const void *context, const uint8_t grant[DIGEST_SIZE], int64_t *end_us)
{
    (void)context, (void)grant, (void)end_us;
    return false;
}

static bool accept_4_until_6(const void *context, const uint8_t grant[DIGEST_SIZE], int64_t *end_us)
{
    (void)context;
    *end_us = 6;
    return grant[0] == 4;
}

static bool has(struct fixture *fixture, uint8_t number)
{
    bool found;
    assert_int_equal(
        auth_cache_get(fixture->cache, code_of(number).bytes, &fixture->arena, &fixture->found, &found, NULL),
        STATUS_OK);
    return found;
}

static void test_a_token_is_found_with_all_that_it_says(void **state)
{
    struct fixture *fixture = *state;
    const struct uuid scope[2] = {{{1}}, {{2}}};
    char subject[AUTH_SUBJECT_MAX + 1];
    memset(subject, 'x', AUTH_SUBJECT_MAX);
    subject[AUTH_SUBJECT_MAX] = '\0';
    const struct auth_caller token = {.roles = AUTH_STAFF,
                                      .subject = subject,
                                      .scope = scope,
                                      .scope_count = 2,
                                      .issuer = {3},
                                      .grant = {[15] = 4},
                                      .until_us = 42};
    auth_cache_put(fixture->cache, code_of(1).bytes, &token, INT64_MAX, 0);
    assert_false(has(fixture, 2));
    assert_true(has(fixture, 1));
    assert_int_equal(fixture->found.until_us, 42);
    assert_memory_equal(fixture->found.issuer, token.issuer, sizeof token.issuer);
    assert_memory_equal(fixture->found.grant, token.grant, sizeof token.grant);
    assert_int_equal(fixture->found.roles, AUTH_STAFF);
    assert_string_equal(fixture->found.subject, subject);
    assert_ptr_not_equal(fixture->found.subject, subject);
    assert_int_equal(fixture->found.scope_count, 2);
    assert_memory_equal(fixture->found.scope, scope, sizeof scope);
}

static void test_the_same_token_is_kept_once(void **state)
{
    struct fixture *fixture = *state;
    for (uint8_t number = 1; number <= WAYS; number++)
        put(fixture, number, "a");
    put(fixture, 2, "b");
    for (uint8_t number = 1; number <= WAYS; number++)
        assert_true(has(fixture, number));
    assert_true(has(fixture, 2));
    assert_string_equal(fixture->found.subject, "b");
}

static void test_a_full_set_forgets_what_was_not_used_for_the_longest_time(void **state)
{
    struct fixture *fixture = *state;
    for (uint8_t number = 1; number <= WAYS; number++)
        put(fixture, number, "a");
    assert_true(has(fixture, 1)); /* now 2 is the oldest */
    put(fixture, WAYS + 1, "a");
    assert_false(has(fixture, 2));
    assert_true(has(fixture, 1) && has(fixture, 3) && has(fixture, 4) && has(fixture, WAYS + 1));
}

static void test_sifting_forgets_what_does_not_count(void **state)
{
    struct fixture *fixture = *state;
    for (uint8_t number = 1; number <= WAYS; number++) {
        const struct auth_caller token = {.subject = "a", .grant = {3 + number % 2}, .until_us = 7};
        auth_cache_put(fixture->cache, code_of(number).bytes, &token, INT64_MAX, 0);
    }
    auth_cache_sift(fixture->cache, accept_4_until_6, NULL);
    assert_false(has(fixture, 2) || has(fixture, 4));
    assert_true(has(fixture, 1) && has(fixture, 3));
    assert_int_equal(fixture->found.until_us, 6);
    for (uint8_t number = 10; number < 10 + WAYS - 1; number++) /* 1 has been unused for the longest time */
        put(fixture, number, "b");
    assert_false(has(fixture, 1));
    assert_true(has(fixture, 3));
    auth_cache_sift(fixture->cache, refuse_all, NULL);
    assert_false(has(fixture, 3) || has(fixture, 10) || has(fixture, 11) || has(fixture, 12));
    put(fixture, 1, "a");
    assert_true(has(fixture, 1));
}

static void test_a_token_that_earlier_issuers_verified_is_not_kept(void **state)
{
    struct fixture *fixture = *state;
    const struct auth_caller token = caller_of("a");
    const uint64_t generation = auth_cache_generation(fixture->cache);
    auth_cache_sift(fixture->cache, accept_4_until_6, NULL);
    auth_cache_put(fixture->cache, code_of(1).bytes, &token, INT64_MAX, generation);
    assert_false(has(fixture, 1));
}

static struct code compute(const struct auth_cache *cache, const char *token, size_t length)
{
    struct code code;
    assert_int_equal(auth_cache_code(cache, token, length, code.bytes, NULL), STATUS_OK);
    return code;
}

static void test_the_code_depends_on_each_byte_and_on_the_secret(void **state)
{
    struct fixture *fixture = *state;
    struct auth_cache *other;
    char token[64] = "eyJ";
    assert_int_equal(auth_cache_open(&other, NULL), STATUS_OK);
    const struct code code = compute(fixture->cache, token, sizeof token);
    struct code again = compute(fixture->cache, token, sizeof token);
    assert_memory_equal(&code, &again, sizeof code);
    again = compute(other, token, sizeof token);
    assert_memory_not_equal(&code, &again, sizeof code);
    again = compute(fixture->cache, token, sizeof token - 1);
    assert_memory_not_equal(&code, &again, sizeof code);
    for (size_t i = 0; i < sizeof token; i++) {
        token[i]++;
        again = compute(fixture->cache, token, sizeof token);
        assert_memory_not_equal(&code, &again, sizeof code);
        token[i]--;
    }
    auth_cache_close(other);
}

#define CACHE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CACHE_TEST(test_a_token_is_found_with_all_that_it_says),
        CACHE_TEST(test_the_same_token_is_kept_once),
        CACHE_TEST(test_a_full_set_forgets_what_was_not_used_for_the_longest_time),
        CACHE_TEST(test_sifting_forgets_what_does_not_count),
        CACHE_TEST(test_a_token_that_earlier_issuers_verified_is_not_kept),
        CACHE_TEST(test_the_code_depends_on_each_byte_and_on_the_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
