#include <stdlib.h>
#include <string.h>

#include "auth/token.h"
#include "auth/token_testing.h"
#include "base/clock.h"
#include "base/unit_testing.h"

#include "screening/v1/words.h"

#define SCOPE "018f0000-0000-7000-8000-000000000001"

/* The token expires at NOW_S + 600, and the clocks may differ by 60 s. */
static void test_a_token_ends_one_minute_after_its_expiry(void **state)
{
    struct world *world = *state;
    world_now_us += (int64_t)660 * US_PER_S - 1;
    assert_accepted(world, token_with(world, ""));
    world_now_us++;
    assert_int_equal(world_check(world, token_with(world, "")), STATUS_UNAUTHENTICATED);
    assert_string_equal(world->error.reason, SCREENING_REASON_TOKEN_EXPIRED);
    assert_string_equal(world->error.message, "authorization: the token has expired");
}

static void test_a_token_begins_one_minute_before_its_time(void **state)
{
    struct world *world = *state;
    assert_accepted(world, token_with(world, ",\"nbf\":1800000060,\"iat\":1800000060"));
    assert_accepted(world, token_with(world, ",\"nbf\":1800000059.9,\"iat\":-1e300"));
    assert_refused(world, token_with(world, ",\"nbf\":1800000061"), "the token is not valid yet");
    assert_refused(world, token_with(world, ",\"iat\":1800000060.5"), "the token is not valid yet");
    assert_refused(world, token_with(world, ",\"nbf\":1e300"), "the token is not valid yet");
    assert_refused(world, token_with(world, ",\"nbf\":\"0\""), "the token's nbf must be a number");
    assert_refused(world, token_with(world, ",\"iat\":null"), "the token's iat must be a number");
}

/* Checks a token of "clinic" whose expiry is this JSON. */
static enum status check_expiry(struct world *world, const char *expiry)
{
    return world_check(world, signed_by_curve(world, test_text("{\"iss\":\"clinic\",\"aud\":\"screening\","
                                                               "\"sub\":\"kim\",\"exp\":%s}",
                                                               expiry)));
}

static void test_the_expiry_must_be_a_number_that_fits(void **state)
{
    struct world *world = *state;
    static const char *const MALFORMED[] = {"99999999999999999999", "1e999",     "NaN", "Infinity", "-",
                                            "0x7fffffff",           "180000060O"};
    static const char *const OTHER[] = {"\"1800000600\"", "null", "true", "[1800000600]", "{}"};
    static const char *const PAST[] = {"0", "-1", "-1e300", "-9223372036854775808", "1799999940"};
    static const char *const FUTURE[] = {"1e300", "9223372036854775807", "1.8000006e9", "1799999940.5"};
    for (size_t i = 0; i < sizeof MALFORMED / sizeof MALFORMED[0]; i++) {
        assert_int_equal(check_expiry(world, MALFORMED[i]), STATUS_UNAUTHENTICATED);
        assert_string_equal(world->error.message, "authorization: the token is malformed");
    }
    for (size_t i = 0; i < sizeof OTHER / sizeof OTHER[0]; i++) {
        assert_int_equal(check_expiry(world, OTHER[i]), STATUS_UNAUTHENTICATED);
        assert_string_equal(world->error.message, "authorization: the token's exp must be a number");
    }
    for (size_t i = 0; i < sizeof PAST / sizeof PAST[0]; i++) {
        assert_int_equal(check_expiry(world, PAST[i]), STATUS_UNAUTHENTICATED);
        assert_string_equal(world->error.reason, SCREENING_REASON_TOKEN_EXPIRED);
    }
    for (size_t i = 0; i < sizeof FUTURE / sizeof FUTURE[0]; i++)
        assert_int_equal(check_expiry(world, FUTURE[i]), STATUS_OK);
    assert_refused(
        world, signed_by_curve(world, strdup("{\"iss\":\"clinic\",\"aud\":\"screening\",\"sub\":\"kim\"}")),
        "the token's exp must be a number");
}

/* Checks a token of "clinic" whose audience is this JSON. */
static enum status check_audience(struct world *world, const char *audience)
{
    return world_check(world,
                       signed_by_curve(world, test_text("{\"iss\":\"clinic\",\"aud\":%s,\"sub\":\"kim\","
                                                        "\"exp\":1800000600}",
                                                        audience)));
}

static void test_the_token_must_be_for_this_audience(void **state)
{
    struct world *world = *state;
    static const char *const WRONG[] = {
        "\"Screening\"",
        "\"\"",
        "[]",
        "null",
        "1",
        "{\"screening\":1}",
        "[[\"screening\"]]",
        "\"screening \"",
        "[\"a\",\"b\"]",
        "\"@program\"",
        "\"booking-svc\"",
    };
    assert_int_equal(check_audience(world, "\"screening\""), STATUS_OK);
    assert_int_equal(check_audience(world, "[1,\"a\",\"screening\"]"), STATUS_OK);
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        assert_int_equal(check_audience(world, WRONG[i]), STATUS_UNAUTHENTICATED);
        assert_string_equal(world->error.message, "authorization: the token is for another audience");
    }
    assert_refused(world,
                   signed_by_curve(world, strdup("{\"iss\":\"clinic\",\"sub\":\"kim\",\"exp\":1800000600}")),
                   "the token is for another audience");
}

/* Checks a token of "clinic" whose subject is this JSON. */
static enum status check_subject(struct world *world, const char *subject)
{
    return world_check(
        world, signed_by_curve(world, test_text("{\"iss\":\"clinic\",\"aud\":\"screening\",\"sub\":%s,"
                                                "\"exp\":1800000600}",
                                                subject)));
}

static void test_the_subject_must_be_a_text_of_1_to_64_bytes(void **state)
{
    struct world *world = *state;
    static const char WRONG[] = "authorization: the token's sub must be a text of 1 to 64 bytes";
    static const char *const REFUSED[] = {"\"\"",      "null",        "1",          "[\"kim\"]",
                                          "\"a\\nb\"", "\"\\u007f\"", "\"\\u0085\""};
    char *longest = test_text("\"%064d\"", 0);
    char *longer = test_text("\"%065d\"", 0);
    char *bytes = test_text("\"%063d\xc3\xa9\"", 0);
    assert_int_equal(check_subject(world, longest), STATUS_OK);
    assert_int_equal(strlen(world->caller->subject), AUTH_SUBJECT_MAX);
    assert_int_equal(check_subject(world, "\"\xea\xb9\x80\""), STATUS_OK);
    for (size_t i = 0; i < sizeof REFUSED / sizeof REFUSED[0]; i++) {
        assert_int_equal(check_subject(world, REFUSED[i]), STATUS_UNAUTHENTICATED);
        assert_string_equal(world->error.message, WRONG);
    }
    assert_int_equal(check_subject(world, longer), STATUS_UNAUTHENTICATED);
    assert_string_equal(world->error.message, WRONG);
    assert_int_equal(check_subject(world, bytes), STATUS_UNAUTHENTICATED);
    assert_string_equal(world->error.message, WRONG);
    assert_int_equal(check_subject(world, "\"kim\\u0000lee\""), STATUS_UNAUTHENTICATED);
    assert_string_equal(world->error.message, "authorization: the token is malformed");
    assert_int_equal(check_subject(world, "\"\xff\""), STATUS_UNAUTHENTICATED);
    assert_string_equal(world->error.message, "authorization: the token is malformed");
    free(longest);
    free(longer);
    free(bytes);
}

static unsigned roles_of(struct world *world, const char *more)
{
    assert_accepted(world, token_with(world, more));
    return world->caller->roles;
}

static void test_the_roles_come_from_the_claim(void **state)
{
    struct world *world = *state;
    static const char WRONG[] = "the token's role must be a text or an array of texts";
    assert_int_equal(roles_of(world, ""), 0);
    assert_int_equal(roles_of(world, ",\"access\":{\"roles\":\"desk\"}"), AUTH_STAFF);
    assert_int_equal(roles_of(world, ",\"access\":{\"roles\":[\"desk\",\"client\",\"x\"]}"),
                     AUTH_STAFF | AUTH_CUSTOMER);
    assert_int_equal(roles_of(world, ",\"access\":{\"roles\":[]}"), 0);
    assert_int_equal(roles_of(world, ",\"access\":{\"roles\":\"admin\"}"), 0);
    assert_int_equal(roles_of(world, ",\"access\":{\"roles\":\"staff\"}"), 0);
    assert_int_equal(roles_of(world, ",\"access\":\"desk\",\"roles\":\"desk\",\"access.roles\":\"desk\""), 0);
    assert_refused(world, token_with(world, ",\"access\":{\"roles\":1}"), WRONG);
    assert_refused(world, token_with(world, ",\"access\":{\"roles\":[\"desk\",null]}"), WRONG);
    assert_refused(world, token_with(world, ",\"access\":{\"roles\":{\"desk\":1}}"), WRONG);
}

/* Returns ,"places":[...] with `count` ids. */
static char *places(int count)
{
    char *text = strdup(",\"places\":[");
    for (int i = 0; i < count; i++) {
        char *longer = test_text("%s%s\"018f0000-0000-7000-8000-%012d\"", text, i > 0 ? "," : "", i + 1);
        free(text);
        text = longer;
    }
    char *whole = test_text("%s]", text);
    free(text);
    return whole;
}

static void test_the_scope_is_an_array_of_ids(void **state)
{
    struct world *world = *state;
    static const char *const REFUSED[] = {"[\"x\"]", "[1]", "[null]",
                                          "[\"00000000-0000-0000-0000-000000000000\"]",
                                          "[\"" SCOPE "\",\"" SCOPE " \"]"};
    static const char *const NO_ARRAY[] = {"\"" SCOPE "\"", "null", "1", "{}"};
    struct uuid first;
    char *most = places(AUTH_SCOPE_MAX);
    char *more = places(AUTH_SCOPE_MAX + 1);
    assert_true(uuid_parse(SCOPE, &first));
    assert_accepted(world, token_with(world, most));
    assert_int_equal(world->caller->scope_count, AUTH_SCOPE_MAX);
    assert_memory_equal(&world->caller->scope[0], &first, sizeof first);
    assert_refused(world, token_with(world, more), "the token's scope must be an array of at most 64 ids");
    for (size_t i = 0; i < sizeof REFUSED / sizeof REFUSED[0]; i++) {
        char *claim = test_text(",\"places\":%s", REFUSED[i]);
        assert_refused(world, token_with(world, claim), "the token's scope must be an array of ids");
        free(claim);
    }
    for (size_t i = 0; i < sizeof NO_ARRAY / sizeof NO_ARRAY[0]; i++) {
        char *claim = test_text(",\"places\":%s", NO_ARRAY[i]);
        assert_refused(world, token_with(world, claim),
                       "the token's scope must be an array of at most 64 ids");
        free(claim);
    }
    assert_accepted(world, token_with(world, ",\"places\":[]"));
    assert_int_equal(world->caller->scope_count, 0);
    free(most);
    free(more);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_a_token_ends_one_minute_after_its_expiry),
        WORLD_TEST(test_a_token_begins_one_minute_before_its_time),
        WORLD_TEST(test_the_expiry_must_be_a_number_that_fits),
        WORLD_TEST(test_the_token_must_be_for_this_audience),
        WORLD_TEST(test_the_subject_must_be_a_text_of_1_to_64_bytes),
        WORLD_TEST(test_the_roles_come_from_the_claim),
        WORLD_TEST(test_the_scope_is_an_array_of_ids),
    };
    return cmocka_run_group_tests(tests, world_make_keys, world_free_keys);
}
