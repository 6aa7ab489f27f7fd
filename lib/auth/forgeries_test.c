#include <stdlib.h>
#include <string.h>

#include "auth/token_testing.h"
#include "base/clock.h"
#include "base/unit_testing.h"

#include "screening/v1/words.h"

enum { FORGERIES_MAX = 20, SOURCE = 7 };

static enum status check_from(struct world *world, uint64_t number, const char *token)
{
    const struct auth_source source = {.number = number};
    char *authorization = test_text("Bearer %s", token);
    enum status status =
        auth_check(world->auth, authorization, source, &world->arena, &world->caller, &world->error);
    free(authorization);
    return status;
}

/* Shows forged tokens until the source may show no more. */
static void exhaust(struct world *world, uint64_t source)
{
    char *claims = claims_with("");
    char *forged = test_sign(&world->other, ES_HEADER, claims);
    enum status status = STATUS_UNAUTHENTICATED;
    for (int i = 0; i < 1000 && status != STATUS_RESOURCE_EXHAUSTED; i++)
        status = check_from(world, source, forged);
    assert_int_equal(status, STATUS_RESOURCE_EXHAUSTED);
    free(claims);
    free(forged);
}

/* While wrong tokens come from the same source, good tokens must not depend on being verified again. */
static void test_a_reload_keeps_the_tokens_that_still_count(void **state)
{
    struct world *world = *state;
    char *token = token_with(world, ""), *claims = claims_with("");
    char *other = test_sign(&world->rsa, "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"JWT\"}", claims);
    assert_int_equal(check_from(world, SOURCE, token), STATUS_OK);
    assert_int_equal(check_from(world, SOURCE, other), STATUS_OK);
    world_write_key_with(world, ",\"exp\":1800000300"); /* the key "rsa" is withdrawn */
    exhaust(world, SOURCE);
    const int64_t before = world_verified();
    assert_int_equal(check_from(world, SOURCE, token), STATUS_OK);
    assert_int_equal(world->caller->until_us, (int64_t)1800000300 * US_PER_S);
    assert_int_equal(check_from(world, SOURCE, other), STATUS_RESOURCE_EXHAUSTED); /* forgotten */
    assert_int_equal(check_from(world, 0, other), STATUS_UNAUTHENTICATED);
    world_write_key_with(world, "");
    exhaust(world, SOURCE);
    assert_int_equal(check_from(world, SOURCE, token), STATUS_OK);
    assert_int_equal(world->caller->until_us, (int64_t)(NOW_S + 600 + 60) * US_PER_S);
    assert_in_range(world_verified() - before, 0, 10); /* forged ones on a slow machine */
    test_write(
        &world->folder, "issuers.json",
        "{\"issuers\":[{\"issuer\":\"clinic\",\"audience\":\"screening\",\"keys\":\"clinic.jwks.json\","
        "\"roles\":{\"always\":\"auditor\"}}]}");
    auth_look_after(world->auth);
    assert_int_equal(check_from(world, 0, token), STATUS_OK);
    assert_int_equal(world->caller->roles, AUTH_AUDITOR); /* the same key, but it means something else */
    free(claims);
    free(other);
    free(token);
}

static void test_wrong_signatures_of_one_source_are_bounded(void **state)
{
    struct world *world = *state;
    char *token = token_with(world, ""), *other = token_with(world, ",\"jti\":\"2\"");
    char *early = token_with(world, ",\"nbf\":2000000000");
    char *claims = claims_with("");
    char *forged = test_sign(&world->other, ES_HEADER, claims);
    assert_int_equal(check_from(world, 7, token), STATUS_OK);
    assert_int_equal(check_from(world, 7, "a.b.c"), STATUS_UNAUTHENTICATED); /* costs no signature */
    const int64_t before = world_verified();
    for (int i = 0; i < 1000; i++) /* nor does a token that only its time refuses */
        assert_int_equal(check_from(world, 7, early), STATUS_UNAUTHENTICATED);
    assert_int_equal(world_verified(), before);
    enum status status = STATUS_UNAUTHENTICATED;
    for (int i = 0; i < 1000; i++) {
        status = check_from(world, 7, forged);
        if (status == STATUS_RESOURCE_EXHAUSTED)
            break;
        assert_int_equal(status, STATUS_UNAUTHENTICATED);
    }
    assert_in_range(world_verified() - before, FORGERIES_MAX, FORGERIES_MAX + 100); /* a slow machine */
    assert_int_equal(status, STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(world->error.reason, SCREENING_REASON_TOO_MANY_CALLS);
    assert_in_range(world->error.retry_after_ms, 1, 500);
    assert_int_equal(check_from(world, 7, token), STATUS_OK); /* remembered */
    assert_int_equal(check_from(world, 8, other), STATUS_OK);
    assert_int_equal(check_from(world, 0, forged), STATUS_UNAUTHENTICATED);
    free(claims);
    free(forged);
    free(early);
    free(other);
    free(token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_a_reload_keeps_the_tokens_that_still_count),
        WORLD_TEST(test_wrong_signatures_of_one_source_are_bounded),
    };
    return cmocka_run_group_tests(tests, world_make_keys, world_free_keys);
}
