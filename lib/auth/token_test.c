#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/token.h"
#include "auth/token_testing.h"
#include "base/unit_testing.h"

#include "screening/v1/words.h"

#define RS_HEADER "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"JWT\"}"

/* Returns a token of "clinic" with this header. */
static char *token_with_header(const struct test_key *key, const char *header)
{
    char *claims = claims_with("");
    char *token = test_sign(key, header, claims);
    free(claims);
    return token;
}

static void test_tokens_of_both_algorithms_give_the_caller(void **state)
{
    struct world *world = *state;
    assert_accepted(world, token_with(world, ",\"access\":{\"roles\":\"client\"}"));
    assert_string_equal(world->caller->subject, "kim");
    assert_int_equal(world->caller->roles, AUTH_CUSTOMER);
    assert_int_equal(world->caller->scope_count, 0);
    assert_accepted(world, token_with_header(&world->rsa, RS_HEADER));
    assert_string_equal(world->caller->subject, "kim");
    assert_int_equal(world->caller->roles, 0);
}

/* Returns a token of "clinic" whose header has these members besides the usual ones. */
static char *token_with_member(const struct world *world, const char *more)
{
    char *header = test_text("{\"alg\":\"ES256\",\"kid\":\"ec\",\"typ\":\"JWT\"%s}", more);
    char *token = token_with_header(&world->curve, header);
    free(header);
    return token;
}

static void test_the_algorithm_none_is_refused(void **state)
{
    struct world *world = *state;
    static const char ALGORITHM[] = "the token's algorithm is not that of its key";
    char *claims = claims_with("");
    static const char NONE[] = "{\"alg\":\"none\",\"kid\":\"ec\",\"typ\":\"JWT\"}";
    char *header = test_base64(NONE, strlen(NONE));
    char *payload = test_base64(claims, strlen(claims));
    assert_refused(world, test_text("%s.%s.", header, payload), "the token is malformed");
    assert_refused(world, test_text("%s.%s", header, payload), "the token is malformed");
    assert_refused(world, test_text("%s.%s.AAAA", header, payload), ALGORITHM);
    free(claims);
    free(header);
    free(payload);
    assert_refused(world,
                   token_with_header(&world->curve, "{\"alg\":\"None\",\"kid\":\"ec\",\"typ\":\"JWT\"}"),
                   ALGORITHM);
    assert_refused(world, token_with_header(&world->curve, "{\"kid\":\"ec\",\"typ\":\"JWT\"}"), ALGORITHM);
    assert_refused(world,
                   token_with_header(&world->curve, "{\"alg\":[\"ES256\"],\"kid\":\"ec\",\"typ\":\"JWT\"}"),
                   ALGORITHM);
}

static void test_a_public_key_is_no_secret_of_hmac(void **state)
{
    struct world *world = *state;
    const char *const headers[] = {"{\"alg\":\"HS256\",\"kid\":\"ec\",\"typ\":\"JWT\"}",
                                   "{\"alg\":\"HS256\",\"kid\":\"rsa\",\"typ\":\"JWT\"}"};
    for (int i = 0; i < 2; i++) {
        const char *secret = i == 0 ? world->curve.public_members : world->rsa.public_members;
        char *claims = claims_with("");
        assert_refused(world, test_sign_hmac(secret, strlen(secret), headers[i], claims),
                       "the token's algorithm is not that of its key");
        free(claims);
    }
}

/* libjose itself accepts RS512 for a key of RS256, because it compares the names by their order. */
static void test_only_the_algorithm_of_the_key_is_accepted(void **state)
{
    struct world *world = *state;
    static const char *const OTHERS[] = {"RS384", "RS512", "PS256", "ES256", "ES384", "rs256", "RS256 ", ""};
    for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++) {
        char *header = test_text("{\"alg\":\"%s\",\"kid\":\"rsa\",\"typ\":\"JWT\"}", OTHERS[i]);
        assert_refused(world, token_with_header(&world->rsa, header),
                       "the token's algorithm is not that of its key");
        free(header);
    }
    assert_refused(world, token_with_header(&world->curve, RS_HEADER), "the token's signature is wrong");
    assert_refused(world, token_with_header(&world->rsa, ES_HEADER), "the token's signature is wrong");
}

static void test_rs512_with_a_right_signature_is_refused(void **state)
{
    struct world *world = *state;
    struct test_key rs512 = world->rsa;
    rs512.digest = EVP_sha512();
    assert_refused(world, token_with_header(&rs512, "{\"alg\":\"RS512\",\"kid\":\"rsa\",\"typ\":\"JWT\"}"),
                   "the token's algorithm is not that of its key");
}

static void test_the_key_must_be_one_of_the_issuer(void **state)
{
    struct world *world = *state;
    static const char UNKNOWN[] = "the token's key is unknown";
    assert_refused(world, token_with_header(&world->curve, "{\"alg\":\"ES256\",\"typ\":\"JWT\"}"), UNKNOWN);
    assert_refused(
        world, token_with_header(&world->curve, "{\"alg\":\"ES256\",\"kid\":\"\",\"typ\":\"JWT\"}"), UNKNOWN);
    assert_refused(world, token_with_header(&world->curve, "{\"alg\":\"ES256\",\"kid\":1,\"typ\":\"JWT\"}"),
                   UNKNOWN);
    assert_refused(world,
                   token_with_header(&world->other, "{\"alg\":\"ES256\",\"kid\":\"other\",\"typ\":\"JWT\"}"),
                   UNKNOWN);
    assert_refused(world,
                   token_with_header(&world->other, "{\"alg\":\"ES256\",\"kid\":\"EC\",\"typ\":\"JWT\"}"),
                   UNKNOWN);
}

static void test_two_issuers_may_use_the_same_key_id(void **state)
{
    struct world *world = *state;
    const char *claims = "{\"iss\":\"other\",\"aud\":\"booking-svc\",\"sub\":\"x\",\"exp\":1800000600}";
    assert_accepted(world, test_sign(&world->other, ES_HEADER, claims));
    assert_int_equal(world->caller->roles, AUTH_SERVICE);
    assert_refused(world, test_sign(&world->curve, ES_HEADER, claims), "the token's signature is wrong");
    assert_refused(world, token_with_header(&world->other, ES_HEADER), "the token's signature is wrong");
}

static void test_the_issuer_must_be_known(void **state)
{
    struct world *world = *state;
    static const char *const ISSUERS_OF_TOKENS[] = {"\"iss\":\"Clinic\",", "\"iss\":\"\",", "", "\"iss\":1,",
                                                    "\"iss\":[\"clinic\"],"};
    for (size_t i = 0; i < sizeof ISSUERS_OF_TOKENS / sizeof ISSUERS_OF_TOKENS[0]; i++) {
        char *claims =
            test_text("{%s\"aud\":\"screening\",\"sub\":\"kim\",\"exp\":1800000600}", ISSUERS_OF_TOKENS[i]);
        assert_refused(world, signed_by_curve(world, claims), "the token's issuer is unknown");
    }
}

static void test_a_header_with_keys_or_extensions_is_refused(void **state)
{
    struct world *world = *state;
    static const char *const MEMBERS[][2] = {
        {"jku", "\"https://evil.example/keys\""},
        {"x5u", "\"https://evil.example/c\""},
        {"x5c", "[\"MIIB\"]"},
        {"crit", "[\"exp\"]"},
        {"zip", "\"DEF\""},
        {"b64", "false"},
        {"jku", "null"},
    };
    for (size_t i = 0; i < sizeof MEMBERS / sizeof MEMBERS[0]; i++) {
        char *more = test_text(",\"%s\":%s", MEMBERS[i][0], MEMBERS[i][1]);
        char *what = test_text("the token's header must not have %s", MEMBERS[i][0]);
        assert_refused(world, token_with_member(world, more), what);
        free(more);
        free(what);
    }
    /* A key that belongs to the attacker, with a signature that fits it. */
    char *header = test_text("{\"alg\":\"ES256\",\"kid\":\"ec\",\"typ\":\"JWT\",\"jwk\":{%s}}",
                             world->other.public_members);
    assert_refused(world, token_with_header(&world->other, header), "the token's header must not have jwk");
    free(header);
}

static void test_the_type_must_be_that_of_a_token(void **state)
{
    struct world *world = *state;
    static const char *const ACCEPTED[] = {"jwt", "AT+JWT", "at+jwt"};
    static const char *const REFUSED[] = {"\"JWS\"", "\"\"", "null", "1", "\"secevent+jwt\"", "\"JWT \""};
    for (size_t i = 0; i < sizeof ACCEPTED / sizeof ACCEPTED[0]; i++) {
        char *header = test_text("{\"alg\":\"ES256\",\"kid\":\"ec\",\"typ\":\"%s\"}", ACCEPTED[i]);
        assert_accepted(world, token_with_header(&world->curve, header));
        free(header);
    }
    for (size_t i = 0; i < sizeof REFUSED / sizeof REFUSED[0]; i++) {
        char *header = test_text("{\"alg\":\"ES256\",\"kid\":\"ec\",\"typ\":%s}", REFUSED[i]);
        assert_refused(world, token_with_header(&world->curve, header),
                       "the token's typ must be JWT or at+jwt");
        free(header);
    }
    assert_refused(world, token_with_header(&world->curve, "{\"alg\":\"ES256\",\"kid\":\"ec\"}"),
                   "the token's typ must be JWT or at+jwt");
}

static void test_a_changed_token_is_refused(void **state)
{
    struct world *world = *state;
    char *good = token_with(world, "");
    const size_t length = strlen(good);
    for (size_t i = 0; i < length; i++) {
        char *changed = strdup(good);
        assert_non_null(changed);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        assert_int_equal(world_check(world, changed), STATUS_UNAUTHENTICATED);
        if (strcmp(world->error.reason, SCREENING_REASON_TOKEN_EXPIRED) != 0) /* of a changed exp */
            assert_string_equal(world->error.reason, SCREENING_REASON_TOKEN_INVALID);
    }
    assert_accepted(world, good);
}

static void test_a_member_that_is_there_twice_is_refused(void **state)
{
    struct world *world = *state;
    assert_refused(world, token_with(world, ",\"sub\":\"lee\""), "the token is malformed");
    assert_refused(world, token_with(world, ",\"access\":{\"roles\":\"client\",\"roles\":\"desk\"}"),
                   "the token is malformed");
    assert_refused(world, token_with_member(world, ",\"alg\":\"ES256\""), "the token is malformed");
    assert_refused(world, token_with_member(world, ",\"\\u006bid\":\"ec\""), "the token is malformed");
}

static void test_a_malformed_token_is_refused(void **state)
{
    struct world *world = *state;
    char *good = token_with(world, "");
    const int length = (int)strlen(good);
    const char *const formats[] = {
        "%s.", "%s..", ".%s", "%s.AAAA", "%s=", "%s==", "%s ", "%s\n", " %s", "%s\xff", "%s,%s"};
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        char *token;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        assert_true(asprintf(&token, formats[i], good, good) > 0);
#pragma GCC diagnostic pop
        assert_refused(world, token, "the token is malformed");
    }
    for (int i = 0; i < length; i++)
        assert_int_equal(world_check(world, test_text("%.*s", i, good)), STATUS_UNAUTHENTICATED);
    assert_refused(world, strdup(""), "the token is malformed");
    assert_refused(world, strdup(".."), "the token is malformed");
    assert_refused(world, test_sign(&world->curve, "[]", "{}"), "the token is malformed");
    assert_refused(world, test_sign(&world->curve, ES_HEADER, "\"x\""), "the token is malformed");
    assert_refused(world, test_sign(&world->curve, ES_HEADER " x", "{}"), "the token is malformed");
    free(good);
}

/* Returns a claim of arrays within arrays. */
static char *nested(int depth)
{
    char *text = test_text(",\"x\":%0*d%0*d", depth, 0, depth, 0);
    char *open = strchr(text, '0');
    memset(open, '[', (size_t)depth);
    memset(open + depth, ']', (size_t)depth);
    return text;
}

/* jansson bounds the depth, and so the stack that a token takes. */
static void test_a_token_that_is_nested_deeply_is_refused(void **state)
{
    struct world *world = *state;
    char *deep = nested(2000);
    char *deeper = nested(2100);
    assert_accepted(world, token_with(world, deep));
    assert_refused(world, token_with(world, deeper), "the token is malformed");
    free(deep);
    free(deeper);
}

static void test_a_token_of_more_than_8_kib_is_refused_before_it_is_read(void **state)
{
    struct world *world = *state;
    char *claim = test_text(",\"x\":\"%05800d\"", 0);
    char *token = token_with(world, claim);
    assert_in_range(strlen(token), 7900, 8192);
    assert_accepted(world, token);
    free(claim);
    claim = test_text(",\"x\":\"%06100d\"", 0);
    token = token_with(world, claim);
    assert_in_range(strlen(token), 8193, 8500);
    assert_refused(world, token, "the token must have at most 8192 bytes");
    free(claim);
    assert_refused(world, test_text("%01048576d", 0), "the token must have at most 8192 bytes");
}

static void test_the_header_must_have_the_scheme_bearer(void **state)
{
    struct world *world = *state;
    static const char *const REFUSED[] = {
        "", "Bearer", "Basic a2ltOmtpbQ==", "Bearer\tx", "bearerx", " Bearer x"};
    struct error error;
    const struct auth_caller *caller;
    assert_int_equal(auth_check(world->auth, NULL, AUTH_TRUSTED_PLACE, &world->arena, &caller, &error),
                     STATUS_UNAUTHENTICATED);
    assert_string_equal(error.reason, SCREENING_REASON_TOKEN_MISSING);
    assert_string_equal(error.message, "authorization: a token is required");
    for (size_t i = 0; i < sizeof REFUSED / sizeof REFUSED[0]; i++) {
        assert_int_equal(
            auth_check(world->auth, REFUSED[i], AUTH_TRUSTED_PLACE, &world->arena, &caller, &error),
            STATUS_UNAUTHENTICATED);
        assert_string_equal(error.reason, SCREENING_REASON_TOKEN_INVALID);
        assert_string_equal(error.message, "authorization: must be \"Bearer TOKEN\"");
    }
    char *token = token_with(world, "");
    char *authorization = test_text("bEARER %s", token);
    assert_int_equal(
        auth_check(world->auth, authorization, AUTH_TRUSTED_PLACE, &world->arena, &caller, &error),
        STATUS_OK);
    free(authorization);
    free(token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_tokens_of_both_algorithms_give_the_caller),
        WORLD_TEST(test_the_algorithm_none_is_refused),
        WORLD_TEST(test_a_public_key_is_no_secret_of_hmac),
        WORLD_TEST(test_only_the_algorithm_of_the_key_is_accepted),
        WORLD_TEST(test_rs512_with_a_right_signature_is_refused),
        WORLD_TEST(test_the_key_must_be_one_of_the_issuer),
        WORLD_TEST(test_two_issuers_may_use_the_same_key_id),
        WORLD_TEST(test_the_issuer_must_be_known),
        WORLD_TEST(test_a_header_with_keys_or_extensions_is_refused),
        WORLD_TEST(test_the_type_must_be_that_of_a_token),
        WORLD_TEST(test_a_changed_token_is_refused),
        WORLD_TEST(test_a_member_that_is_there_twice_is_refused),
        WORLD_TEST(test_a_malformed_token_is_refused),
        WORLD_TEST(test_a_token_that_is_nested_deeply_is_refused),
        WORLD_TEST(test_a_token_of_more_than_8_kib_is_refused_before_it_is_read),
        WORLD_TEST(test_the_header_must_have_the_scheme_bearer),
    };
    return cmocka_run_group_tests(tests, world_make_keys, world_free_keys);
}
