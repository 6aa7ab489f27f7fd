#include "auth/token_testing.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/unit_testing.h"

#include "screening/v1/words.h"

static const char ISSUERS[] =
    "{\"issuers\":[{\"issuer\":\"clinic\",\"audience\":\"screening\",\"keys\":\"clinic.jwks.json\","
    "\"roles\":{\"claim\":\"access.roles\",\"values\":{\"client\":\"customer\",\"desk\":\"staff\"}},"
    "\"scope_claim\":\"places\"},"
    "{\"issuer\":\"other\",\"audience\":\"@program\",\"keys\":\"other.jwks.json\","
    "\"roles\":{\"always\":\"service\"}}]}";

int64_t world_now_us;

/* The keys of all worlds. */
static struct world keys;

static int64_t test_clock(void)
{
    return world_now_us;
}

int world_make_keys(void **state)
{
    (void)state;
    keys = (struct world){
        .curve = test_key_make(TEST_ES256, "P-256"),
        .rsa = test_key_make(TEST_RS256, "2048"),
        .other = test_key_make(TEST_ES256, "P-256"),
    };
    clock_replace(test_clock);
    return 0;
}

int world_free_keys(void **state)
{
    (void)state;
    test_key_free(&keys.curve);
    test_key_free(&keys.rsa);
    test_key_free(&keys.other);
    clock_replace(NULL);
    return 0;
}

void world_write_keys(const struct world *world)
{
    char *text = test_text("{\"keys\":[{\"kid\":\"ec\",%s},{\"kid\":\"rsa\",%s}]}",
                           world->curve.public_members, world->rsa.public_members);
    test_write(&world->folder, "clinic.jwks.json", text);
    free(text);
}

void world_write_key_with(const struct world *world, const char *more)
{
    char *text = test_text("{\"keys\":[{\"kid\":\"ec\",%s%s}]}", world->curve.public_members, more);
    test_write(&world->folder, "clinic.jwks.json", text);
    free(text);
    auth_look_after(world->auth);
}

int64_t world_verified(void)
{
    struct metric *metric = metrics_newest();
    while (metric != NULL && strcmp(metric->name, "auth_tokens_verified_total") != 0)
        metric = metric->next;
    assert_non_null(metric);
    return metric_get(metric);
}

int world_setup(void **state)
{
    struct world *world = malloc(sizeof *world);
    assert_non_null(world);
    *world = keys;
    world_now_us = (int64_t)NOW_S * US_PER_S;
    arena_init(&world->arena);
    test_folder_init(&world->folder);
    char *other = test_text("{\"keys\":[{\"kid\":\"ec\",%s},{\"kid\":\"other\",%s}]}",
                            world->other.public_members, world->other.public_members);
    world_write_keys(world);
    test_write(&world->folder, "other.jwks.json", other);
    test_write(&world->folder, "issuers.json", ISSUERS);
    free(other);
    world->issuers_path = test_path(&world->folder, "issuers.json");
    const struct auth_options options = {world->issuers_path, "booking-svc"};
    if (auth_open(&options, &world->auth, &world->error) != STATUS_OK)
        fail_msg("%s", world->error.message);
    *state = world;
    return 0;
}

int world_teardown(void **state)
{
    struct world *world = *state;
    auth_close(world->auth);
    test_folder_fini(&world->folder);
    arena_fini(&world->arena);
    free(world->issuers_path);
    free(world);
    return 0;
}

enum status world_check(struct world *world, char *token)
{
    char *authorization = test_text("Bearer %s", token);
    world->error = (struct error){0};
    enum status status = auth_check(world->auth, authorization, AUTH_TRUSTED_PLACE, &world->arena,
                                    &world->caller, &world->error);
    free(authorization);
    free(token);
    return status;
}

void assert_accepted(struct world *world, char *token)
{
    if (world_check(world, token) != STATUS_OK)
        fail_msg("%s", world->error.message);
}

void assert_refused(struct world *world, char *token, const char *what)
{
    assert_int_equal(world_check(world, token), STATUS_UNAUTHENTICATED);
    assert_string_equal(world->error.reason, SCREENING_REASON_TOKEN_INVALID);
    char *message = test_text("authorization: %s", what);
    assert_string_equal(world->error.message, message);
    free(message);
}

char *claims_with(const char *more)
{
    return test_text("{\"iss\":\"clinic\",\"aud\":\"screening\",\"sub\":\"kim\",\"exp\":%d%s}", NOW_S + 600,
                     more);
}

char *signed_by_curve(const struct world *world, char *claims)
{
    char *token = test_sign(&world->curve, ES_HEADER, claims);
    free(claims);
    return token;
}

char *token_with(const struct world *world, const char *more)
{
    return signed_by_curve(world, claims_with(more));
}
