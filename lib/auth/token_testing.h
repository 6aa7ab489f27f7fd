/*
 * For tests: two issuers with their keys, and tokens of the first one.
 *
 * "clinic" has the keys "ec" and "rsa", and maps the claim access.roles and the scope places. "other" has a
 * different key with the id "ec", and one named "other"; it is always a service.
 */
#ifndef SCREENING_AUTH_TOKEN_TESTING_H
#define SCREENING_AUTH_TOKEN_TESTING_H

#include <stdint.h>

#include "auth/auth.h"
#include "auth/auth_testing.h"

#define ES_HEADER "{\"alg\":\"ES256\",\"kid\":\"ec\",\"typ\":\"JWT\"}"

/* The instant at which a test begins. */
enum { NOW_S = 1800000000 };

/* What the clock shows. */
extern int64_t world_now_us;

struct world {
    struct test_folder folder;
    struct test_key curve, rsa, other;
    char *issuers_path;
    struct auth *auth;
    struct arena arena;
    struct error error;
    const struct auth_caller *caller; /* of the last token that was accepted */
};

/* For the group: makes the keys, which takes long, and replaces the clock. */
int world_make_keys(void **state);
int world_free_keys(void **state);

/* For a test: writes the files and opens `auth`. */
int world_setup(void **state);
int world_teardown(void **state);
#define WORLD_TEST(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

/* Writes the public keys of "clinic" as they are at first. */
void world_write_keys(const struct world *world);

/* Writes only the key "ec", with more members, such as ",\"exp\":1", and lets `auth` notice it. */
void world_write_key_with(const struct world *world, const char *more);

/* Returns the number of tokens whose signature was verified by this process. */
int64_t world_verified(void);

/* Checks a token, which it frees. */
enum status world_check(struct world *world, char *token);
void assert_accepted(struct world *world, char *token);

/* Expects TOKEN_INVALID with the message "authorization: WHAT". */
void assert_refused(struct world *world, char *token, const char *what);

/* Returns claims of "clinic" that are valid for 10 minutes, with `more` members, such as ",\"nbf\":1". */
char *claims_with(const char *more);

/* Returns a token of "clinic" with these claims. Frees `claims`. */
char *signed_by_curve(const struct world *world, char *claims);
char *token_with(const struct world *world, const char *more);

#endif
