#include "auth/jwk.h"

#include <stdbool.h>
#include <string.h>

#include "auth/jws.h"
#include "base/arena.h"
#include "base/text.h"

enum { RSA_BITS_MIN = 2048, RSA_BITS_MAX = 8192, NUMBER_TEXT_MAX = RSA_BITS_MAX / 6 + 1, NUMBERS_MAX = 6 };

/* The types of keys that can verify tokens. Each has one algorithm. */
struct type {
    const char *kty, *curve, *algorithm;
    const char *public_numbers[NUMBERS_MAX + 1], *private_numbers[NUMBERS_MAX + 1];
};

static const struct type CURVE_KEY = {"EC", "P-256", "ES256", {"x", "y"}, {"d"}};
static const struct type RSA_KEY = {"RSA", NULL, "RS256", {"n", "e"}, {"d", "p", "q", "dp", "dq", "qi"}};

static enum status wrong(struct auth_jwk_problem *problem, const char *member, const char *what)
{
    *problem = (struct auth_jwk_problem){member, what};
    return STATUS_INVALID_ARGUMENT;
}

const char *auth_jwk_text(const json_t *object, const char *member)
{
    return json_string_value(json_object_get(object, member));
}

static bool is_text(const json_t *object, const char *member, const char *text)
{
    const char *found = auth_jwk_text(object, member);
    return found != NULL && strcmp(found, text) == 0;
}

const char *auth_jwk_secret_member(const json_t *key)
{
    static const char *const SECRET[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"};
    for (size_t i = 0; i < sizeof SECRET / sizeof SECRET[0]; i++)
        if (json_object_get(key, SECRET[i]) != NULL)
            return SECRET[i];
    return NULL;
}

static enum status find_type(const json_t *key, const struct type **out, struct auth_jwk_problem *problem)
{
    if (is_text(key, "kty", CURVE_KEY.kty))
        *out = &CURVE_KEY;
    else if (is_text(key, "kty", RSA_KEY.kty))
        *out = &RSA_KEY;
    else
        return wrong(problem, "kty", "must be EC or RSA");
    if ((*out)->curve != NULL && !is_text(key, "crv", (*out)->curve))
        return wrong(problem, "crv", "must be P-256");
    if (json_object_get(key, "alg") != NULL && !is_text(key, "alg", (*out)->algorithm))
        return wrong(problem, "alg", *out == &CURVE_KEY ? "must be ES256" : "must be RS256");
    return STATUS_OK;
}

/* Copies texts from `key` into `into`. */
static enum status copy_numbers(const json_t *key, const char *const *members, json_t *into,
                                struct auth_jwk_problem *problem)
{
    for (; *members != NULL; members++) {
        json_t *number = json_object_get(key, *members);
        const size_t length = json_string_length(number);
        if (length == 0 || length > NUMBER_TEXT_MAX)
            return wrong(problem, *members, "must be a number in base64url");
        if (json_object_set(into, *members, number) != 0)
            return STATUS_RESOURCE_EXHAUSTED;
    }
    return STATUS_OK;
}

static enum status check_sound(const struct type *type, const json_t *jwk, struct auth_jwk_problem *problem)
{
    int bits;
    if (!auth_jws_key_is_sound(jwk, &bits))
        return wrong(problem, type->public_numbers[0], "the numbers are not a key");
    if (type == &RSA_KEY && (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX))
        return wrong(problem, "n", "must have 2048 to 8192 bits");
    return STATUS_OK;
}

/* Makes a key of `type` with the members that both public and private keys have. */
static enum status make_public(const json_t *key, const struct type *type, json_t **out,
                               struct auth_jwk_problem *problem)
{
    const char *id = auth_jwk_text(key, "kid");
    if (id == NULL || text_check("kid", id, 1, AUTH_KEY_ID_MAX, NULL) != STATUS_OK)
        return wrong(problem, "kid", "must be a text of 1 to 128 characters");
    json_t *jwk = json_pack("{s:s,s:s*,s:s,s:s}", "kty", type->kty, "crv", type->curve, "alg",
                            type->algorithm, "kid", id);
    enum status status =
        jwk != NULL ? copy_numbers(key, type->public_numbers, jwk, problem) : STATUS_RESOURCE_EXHAUSTED;
    if (status == STATUS_OK)
        status = check_sound(type, jwk, problem);
    if (status == STATUS_OK)
        *out = jwk;
    else
        json_decref(jwk);
    return status;
}

enum status auth_jwk_public(const json_t *key, json_t **out, struct auth_jwk_problem *problem)
{
    const struct type *type;
    TRY(find_type(key, &type, problem));
    return make_public(key, type, out, problem);
}

/* Signs a probe with one key and verifies it with the other. */
static enum status check_pair(const json_t *private_key, const json_t *public_key,
                              struct auth_jwk_problem *problem)
{
    struct arena arena;
    struct auth_jws jws;
    bool genuine = false;
    const char *token;
    json_t *probe = json_object();
    arena_init(&arena);
    enum status status =
        probe != NULL ? auth_jws_sign(probe, private_key, &arena, &token, NULL) : STATUS_RESOURCE_EXHAUSTED;
    if (status == STATUS_OK && auth_jws_split(token, &jws))
        status = auth_jws_verify(&jws, public_key, &genuine, NULL);
    arena_fini(&arena);
    json_decref(probe);
    if (status == STATUS_RESOURCE_EXHAUSTED)
        return status;
    return genuine ? STATUS_OK : wrong(problem, "d", "does not belong to the public key");
}

enum status auth_jwk_private(const json_t *key, json_t **out, struct auth_jwk_problem *problem)
{
    const struct type *type;
    json_t *public_key;
    TRY(find_type(key, &type, problem));
    TRY(make_public(key, type, &public_key, problem));
    json_t *private_key = json_copy(public_key);
    enum status status = private_key != NULL ? copy_numbers(key, type->private_numbers, private_key, problem)
                                             : STATUS_RESOURCE_EXHAUSTED;
    if (status == STATUS_OK)
        status = check_pair(private_key, public_key, problem);
    json_decref(public_key);
    if (status == STATUS_OK)
        *out = private_key;
    else
        json_decref(private_key);
    return status;
}
