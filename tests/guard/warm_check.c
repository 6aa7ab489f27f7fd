/*
 * Checks a token that is remembered, as often as the argument says. tests/guard/run counts the instructions.
 * The token is one of hospital staff, as screenctl issues it.
 */
#include <stdlib.h>

#include "auth/token_testing.h"
#include "base/unit_testing.h"

static int checks_wanted;

static void check_the_same_token_again_and_again(void **state)
{
    struct world *world = *state;
    char *token = token_with(world, ",\"iat\":1799999990,\"jti\":\"018f0000-0000-7000-8000-0000000000ff\","
                                    "\"access\":{\"roles\":\"desk\"},"
                                    "\"places\":[\"018f0000-0000-7000-8000-000000000001\"]");
    char *authorization = test_text("Bearer %s", token);
    for (int i = 0; i < checks_wanted; i++) {
        assert_int_equal(auth_check(world->auth, authorization, (struct auth_source){.number = 1},
                                    &world->arena, &world->caller, NULL),
                         STATUS_OK);
        assert_int_equal(world->caller->roles, AUTH_STAFF);
        arena_reset(&world->arena);
    }
    free(authorization);
    free(token);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {WORLD_TEST(check_the_same_token_again_and_again)};
    checks_wanted = argc == 2 ? (int)strtol(argv[1], NULL, 10) : 0;
    return cmocka_run_group_tests(tests, world_make_keys, world_free_keys);
}
