/*
 * A token is read in this order: the header, the issuer that the claims name, the issuer's key that the
 * header names, the signature. Until the signature is right, the claims serve only to find the issuer.
 */
#include "auth/token.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "auth/jws.h"
#include "base/clock.h"
#include "base/text.h"

#include "screening/v1/words.h"

/* The latest instant that is distinguished, in seconds. Later ones are taken for it. */
static const double LATEST_S = 1e12;

#define invalid(error, what)                                                                                 \
    error_set((error), STATUS_UNAUTHENTICATED, SCREENING_REASON_TOKEN_INVALID, "authorization: " what)

enum status auth_token_expired(struct error *error)
{
    return error_set(error, STATUS_UNAUTHENTICATED, SCREENING_REASON_TOKEN_EXPIRED,
                     "authorization: the token has expired");
}

enum status auth_token_find(const char *authorization, const char **token, size_t *length,
                            struct error *error)
{
    static const char SCHEME[] = "Bearer ";
    const size_t scheme_length = sizeof SCHEME - 1;
    if (authorization == NULL)
        return error_set(error, STATUS_UNAUTHENTICATED, SCREENING_REASON_TOKEN_MISSING,
                         "authorization: a token is required");
    if (strncasecmp(authorization, SCHEME, scheme_length) != 0)
        return invalid(error, "must be \"Bearer TOKEN\"");
    *token = authorization + scheme_length;
    *length = strnlen(*token, AUTH_TOKEN_MAX_BYTES + 1);
    if (*length > AUTH_TOKEN_MAX_BYTES)
        return invalid(error, "the token must have at most 8192 bytes");
    return STATUS_OK;
}

static bool is_token_type(const char *type)
{
    return type != NULL && (strcasecmp(type, "JWT") == 0 || strcasecmp(type, "at+jwt") == 0);
}

/* Refuses what the header must not contain: keys, places of keys, and what changes the meaning of the rest.
 */
static enum status check_header(const json_t *header, struct error *error)
{
    static const char *const REFUSED[] = {"jku", "x5u", "x5c", "jwk", "crit", "zip", "b64"};
    for (size_t i = 0; i < sizeof REFUSED / sizeof REFUSED[0]; i++)
        if (json_object_get(header, REFUSED[i]) != NULL)
            return error_set(error, STATUS_UNAUTHENTICATED, SCREENING_REASON_TOKEN_INVALID,
                             "authorization: the token's header must not have %s", REFUSED[i]);
    if (!is_token_type(json_string_value(json_object_get(header, "typ"))))
        return invalid(error, "the token's typ must be JWT or at+jwt");
    return STATUS_OK;
}

static enum status find_key(const struct auth_issuers *issuers, const json_t *header, const json_t *claims,
                            int64_t now_us, const struct auth_issuer **issuer, const struct auth_key **key,
                            struct error *error)
{
    const char *name = json_string_value(json_object_get(claims, "iss"));
    *issuer = name != NULL ? auth_issuers_find(issuers, name) : NULL;
    if (*issuer == NULL)
        return invalid(error, "the token's issuer is unknown");
    const char *id = json_string_value(json_object_get(header, "kid"));
    *key = id != NULL ? auth_issuer_find_key(*issuer, id) : NULL;
    if (*key == NULL || now_us >= (*key)->end_us)
        return invalid(error, "the token's key is unknown");
    const char *algorithm = json_string_value(json_object_get(header, "alg"));
    if (algorithm == NULL || strcmp(algorithm, (*key)->algorithm) != 0)
        return invalid(error, "the token's algorithm is not that of its key");
    return STATUS_OK;
}

/* Returns whether a value is the text, or an array of texts that contains it. */
static bool names_audience(const json_t *value, const char *audience)
{
    const json_t *single = value;
    size_t count = json_is_array(value) ? json_array_size(value) : 1;
    for (size_t i = 0; i < count; i++) {
        const char *name = json_string_value(json_is_array(value) ? json_array_get(value, i) : single);
        if (name != NULL && strcmp(name, audience) == 0)
            return true;
    }
    return false;
}

/* Reads an instant in seconds, which may have a fraction. Returns false if the value is no number. */
static bool read_instant(const json_t *value, double *out_s)
{
    if (!json_is_number(value))
        return false;
    *out_s = fmax(fmin(json_number_value(value), LATEST_S), -LATEST_S);
    return true;
}

/* Checks an optional instant that must not be in the future. */
static enum status check_begun(const json_t *claims, const char *name, double now_s, struct error *error)
{
    const json_t *value = json_object_get(claims, name);
    double begin_s;
    if (value == NULL)
        return STATUS_OK;
    if (!read_instant(value, &begin_s))
        return error_set(error, STATUS_UNAUTHENTICATED, SCREENING_REASON_TOKEN_INVALID,
                         "authorization: the token's %s must be a number", name);
    return begin_s - AUTH_SKEW_S <= now_s ? STATUS_OK : invalid(error, "the token is not valid yet");
}

static enum status check_time(const json_t *claims, int64_t now_us, int64_t *until_us, struct error *error)
{
    const double now_s = (double)now_us / US_PER_S;
    double end_s;
    if (!read_instant(json_object_get(claims, "exp"), &end_s))
        return invalid(error, "the token's exp must be a number");
    *until_us = (int64_t)((end_s + AUTH_SKEW_S) * US_PER_S);
    if (*until_us <= now_us)
        return auth_token_expired(error);
    TRY(check_begun(claims, "nbf", now_s, error));
    return check_begun(claims, "iat", now_s, error);
}

/* Returns the claim at a dotted path, or NULL. */
static const json_t *find_claim(const json_t *claims, const char *path)
{
    char name[AUTH_CLAIM_MAX * 4 + 1];
    while (claims != NULL && *path != '\0') {
        const size_t length = strcspn(path, ".");
        memcpy(name, path, length);
        name[length] = '\0';
        claims = json_object_get(claims, name);
        path += length + (path[length] == '.');
    }
    return claims;
}

static enum status add_role(const struct auth_issuer *issuer, const json_t *value, unsigned *roles,
                            struct error *error)
{
    const char *name = json_string_value(value);
    if (name == NULL)
        return invalid(error, "the token's role must be a text or an array of texts");
    for (size_t i = 0; i < issuer->role_value_count; i++)
        if (strcmp(name, issuer->role_values[i].value) == 0)
            *roles |= issuer->role_values[i].role;
    return STATUS_OK;
}

/* Reads the roles. Values that the issuer's table does not have give no role. */
static enum status read_roles(const struct auth_issuer *issuer, const json_t *claims, unsigned *roles,
                              struct error *error)
{
    *roles = issuer->always;
    const json_t *value = issuer->role_claim != NULL ? find_claim(claims, issuer->role_claim) : NULL;
    if (value == NULL)
        return STATUS_OK;
    if (!json_is_array(value))
        return add_role(issuer, value, roles, error);
    for (size_t i = 0; i < json_array_size(value); i++)
        TRY(add_role(issuer, json_array_get(value, i), roles, error));
    return STATUS_OK;
}

static enum status read_scope(const struct auth_issuer *issuer, const json_t *claims, struct arena *arena,
                              struct auth_caller *caller, struct error *error)
{
    const json_t *value = issuer->scope_claim != NULL ? find_claim(claims, issuer->scope_claim) : NULL;
    const size_t count = json_array_size(value);
    if (value == NULL)
        return STATUS_OK;
    if (!json_is_array(value) || count > AUTH_SCOPE_MAX)
        return invalid(error, "the token's scope must be an array of at most 64 ids");
    struct uuid *scope = arena_alloc(arena, (count + 1) * sizeof *scope);
    if (scope == NULL)
        return error_no_memory(error);
    for (size_t i = 0; i < count; i++) {
        const char *id = json_string_value(json_array_get(value, i));
        if (text_check_uuid("scope", id, &scope[i], NULL) != STATUS_OK)
            return invalid(error, "the token's scope must be an array of ids");
    }
    caller->scope = scope;
    caller->scope_count = count;
    return STATUS_OK;
}

static enum status read_subject(const struct auth_issuer *issuer, const json_t *claims, struct arena *arena,
                                struct auth_caller *caller, struct error *error)
{
    const char *prefix = issuer->subject_prefix;
    const char *subject = json_string_value(json_object_get(claims, "sub"));
    if (subject == NULL || strlen(prefix) + strlen(subject) > AUTH_SUBJECT_MAX ||
        text_check("sub", subject, 1, AUTH_SUBJECT_MAX, NULL) != STATUS_OK)
        return invalid(error, "the token's sub must be a text of 1 to 64 bytes");
    caller->subject = arena_printf(arena, "%s%s", prefix, subject);
    return caller->subject != NULL ? STATUS_OK : error_no_memory(error);
}

/*
 * Refuses claims that no signature could make valid, so that the client that goes on with an expired token
 * costs no verification.
 */
static enum status check_claims(const struct auth_issuer *issuer, const json_t *claims, int64_t now_us,
                                int64_t *until_us, struct error *error)
{
    if (!names_audience(json_object_get(claims, "aud"), issuer->audience))
        return invalid(error, "the token is for another audience");
    return check_time(claims, now_us, until_us, error);
}

/* Reads the claims of a token that the key has signed, and that counts until `until_us`. */
static enum status read_claims(const struct auth_issuer *issuer, const struct auth_key *key,
                               const json_t *claims, int64_t until_us, struct arena *arena,
                               struct auth_caller *out, struct error *error)
{
    struct auth_caller caller = {.until_us = until_us};
    TRY(read_subject(issuer, claims, arena, &caller, error));
    TRY(read_roles(issuer, claims, &caller.roles, error));
    TRY(read_scope(issuer, claims, arena, &caller, error));
    memcpy(caller.issuer, issuer->digest, sizeof caller.issuer);
    memcpy(caller.grant, key->grant, sizeof caller.grant);
    *out = caller;
    return STATUS_OK;
}

static enum status verify(const struct auth_issuers *issuers, const struct auth_jws *jws,
                          const json_t *header, const json_t *claims, int64_t now_us, struct arena *arena,
                          struct auth_caller *out, bool *costly, struct error *error)
{
    const struct auth_issuer *issuer;
    const struct auth_key *key;
    int64_t until_us;
    bool genuine;
    if (header == NULL || claims == NULL)
        return invalid(error, "the token is malformed");
    TRY(check_header(header, error));
    TRY(find_key(issuers, header, claims, now_us, &issuer, &key, error));
    TRY(check_claims(issuer, claims, now_us, &until_us, error));
    *costly = true;
    TRY(auth_jws_verify(jws, key->jwk, &genuine, error));
    if (!genuine)
        return invalid(error, "the token's signature is wrong");
    return read_claims(issuer, key, claims, until_us, arena, out, error);
}

enum status auth_token_verify(const struct auth_issuers *issuers, const char *token, int64_t now_us,
                              struct arena *arena, struct auth_caller *out, bool *costly, struct error *error)
{
    struct auth_jws jws;
    json_t *header = NULL;
    json_t *claims = NULL;
    *costly = false;
    if (!auth_jws_split(token, &jws))
        return invalid(error, "the token is malformed");
    enum status status = auth_jws_decode(jws.header, jws.header_length, arena, &header, error);
    if (status == STATUS_OK)
        status = auth_jws_decode(jws.payload, jws.payload_length, arena, &claims, error);
    if (status == STATUS_OK)
        status = verify(issuers, &jws, header, claims, now_us, arena, out, costly, error);
    json_decref(header);
    json_decref(claims);
    return status;
}
