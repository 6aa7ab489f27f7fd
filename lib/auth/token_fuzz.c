/*
 * Gives the check of tokens damaged tokens. The first byte selects what the rest is:
 *
 *   RAW      the value of an `authorization` header; never accepted
 *   PARTS    a header and claims, separated by a NUL, with a signature that counts as right
 *   EDITS    pairs of a place and a byte, with which a good token is changed; accepted only if it is the same
 *   CLAIMS   claims, with a good header and a signature that counts as right
 *
 * What is accepted is compared with the rules, which are written here a second time.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth/issuers.h"
#include "auth/jws.h"
#include "auth/token.h"
#include "auth/token_testing.h"
#include "base/clock.h"

enum { RAW, PARTS, EDITS, CLAIMS, MODES };
enum { EDIT_SIZE = 3 };

/* As long as a signature of ES256. */
#define SIGNATURE "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
enum status __real_auth_jws_verify(const struct auth_jws *jws, const json_t *jwk, bool *genuine,
                                   struct error *error);
enum status __wrap_auth_jws_verify(const struct auth_jws *jws, const json_t *jwk, bool *genuine,
                                   struct error *error);

static struct world *world;
static struct auth_issuers *issuers;
static char *good;             /* a token that is accepted */
static bool signature_is_good; /* whether any signature counts as right */

enum status __wrap_auth_jws_verify(const struct auth_jws *jws, const json_t *jwk, bool *genuine,
                                   struct error *error)
{
    if (!signature_is_good)
        return __real_auth_jws_verify(jws, jwk, genuine, error);
    *genuine = true;
    return STATUS_OK;
}

static void require(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    void *state;
    struct auth_files files = {0};
    world_make_keys(NULL);
    world_setup(&state);
    world = state;
    require(auth_issuers_read(world->issuers_path, "booking-svc", &files, NULL, &issuers, NULL) == STATUS_OK);
    auth_files_fini(&files);
    test_folder_fini(&world->folder); /* libFuzzer ends without telling */
    good = token_with(world, ",\"access\":{\"roles\":[\"desk\"]},\"places\":[]");
    return 0;
}

static bool equals(const json_t *value, const char *text)
{
    return json_is_string(value) && strcmp(json_string_value(value), text) == 0;
}

static void require_good_header(const char *bytes, size_t size)
{
    static const char *const REFUSED[] = {"jku", "x5u", "x5c", "jwk", "crit", "zip", "b64"};
    json_t *header = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, NULL);
    const json_t *algorithm = json_object_get(header, "alg");
    require(equals(algorithm, "ES256") || equals(algorithm, "RS256"));
    require(json_is_string(json_object_get(header, "kid")) && json_is_string(json_object_get(header, "typ")));
    for (size_t i = 0; i < sizeof REFUSED / sizeof REFUSED[0]; i++)
        require(json_object_get(header, REFUSED[i]) == NULL);
    json_decref(header);
}

static bool has_audience(const json_t *audience, const char *name)
{
    size_t i;
    const json_t *value;
    bool found = equals(audience, name);
    json_array_foreach(audience, i, value) found |= equals(value, name);
    return found;
}

static void require_good_claims(const char *bytes, size_t size, const struct auth_caller *caller)
{
    json_t *claims = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, NULL);
    const bool is_clinic = equals(json_object_get(claims, "iss"), "clinic");
    require(is_clinic || equals(json_object_get(claims, "iss"), "other"));
    require(has_audience(json_object_get(claims, "aud"), is_clinic ? "screening" : "booking-svc"));
    require(json_number_value(json_object_get(claims, "exp")) > NOW_S - AUTH_SKEW_S - 1);
    require(json_number_value(json_object_get(claims, "nbf")) <= NOW_S + AUTH_SKEW_S);
    require(json_number_value(json_object_get(claims, "iat")) <= NOW_S + AUTH_SKEW_S);
    require(caller->until_us > world_now_us);
    require(equals(json_object_get(claims, "sub"), caller->subject));
    require(strlen(caller->subject) >= 1 && strlen(caller->subject) <= AUTH_SUBJECT_MAX);
    require((caller->roles & ~(unsigned)(is_clinic ? AUTH_CUSTOMER | AUTH_STAFF : AUTH_SERVICE)) == 0);
    require(caller->scope_count == (is_clinic ? json_array_size(json_object_get(claims, "places")) : 0));
    require(caller->scope_count <= AUTH_SCOPE_MAX);
    json_decref(claims);
}

/* Returns whether the token is accepted. */
static bool verify(const char *authorization, struct auth_caller *out, struct arena *arena)
{
    struct error error = {0};
    const char *token;
    size_t length;
    bool costly;
    enum status status = auth_token_find(authorization, &token, &length, &error);
    if (status == STATUS_OK)
        status = auth_token_verify(issuers, token, world_now_us, arena, out, &costly, &error);
    require(status == STATUS_OK || (status == STATUS_UNAUTHENTICATED && error.status == status));
    require(status == STATUS_OK || strncmp(error.reason, "TOKEN_", 6) == 0);
    return status == STATUS_OK;
}

static void check_raw(const char *text, struct arena *arena)
{
    struct auth_caller caller;
    require(!verify(text, &caller, arena));
}

static void check_parts(const char *header, size_t header_size, const char *claims, size_t claims_size,
                        struct arena *arena)
{
    struct auth_caller caller;
    char *first = test_base64(header, header_size);
    char *second = test_base64(claims, claims_size);
    char *authorization = test_text("Bearer %s.%s." SIGNATURE, first, second);
    signature_is_good = true;
    if (verify(authorization, &caller, arena)) {
        require_good_header(header, header_size);
        require_good_claims(claims, claims_size, &caller);
    }
    signature_is_good = false;
    free(first);
    free(second);
    free(authorization);
}

static void check_edits(const uint8_t *edits, size_t size, struct arena *arena)
{
    struct auth_caller caller;
    char *changed = test_text("Bearer %s", good);
    const size_t length = strlen(good);
    for (; size >= EDIT_SIZE; edits += EDIT_SIZE, size -= EDIT_SIZE)
        changed[strlen("Bearer ") + ((size_t)edits[0] << 8 | edits[1]) % length] = (char)edits[2];
    require(verify(changed, &caller, arena) == (strcmp(changed + strlen("Bearer "), good) == 0));
    free(changed);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct arena arena;
    if (size == 0)
        return 0;
    char *text = malloc(size); /* the rest, with a NUL, so that AddressSanitizer watches its end */
    require(text != NULL);
    memcpy(text, bytes + 1, size - 1);
    text[size - 1] = '\0';
    arena_init(&arena);
    const size_t first = strlen(text);
    switch (bytes[0] % MODES) {
    case RAW:
        check_raw(text, &arena);
        break;
    case PARTS:
        if (first < size - 1)
            check_parts(text, first, text + first + 1, size - first - 2, &arena);
        break;
    case EDITS:
        check_edits(bytes + 1, size - 1, &arena);
        break;
    default:
        check_parts(ES_HEADER, strlen(ES_HEADER), text, size - 1, &arena);
        break;
    }
    arena_fini(&arena);
    free(text);
    return 0;
}
