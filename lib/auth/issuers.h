/*
 * The issuers whose tokens are accepted: issuers.json and the key sets that it names. A set of issuers never
 * changes after it was read; any thread may use it.
 */
#ifndef SCREENING_AUTH_ISSUERS_H
#define SCREENING_AUTH_ISSUERS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/files.h"
#include "base/arena.h"
#include "base/digest.h"
#include "base/status.h"

enum {
    AUTH_ISSUERS_MAX = 64,
    AUTH_KEYS_MAX = 64,
    AUTH_ISSUER_MAX = 255, /* characters of a name of an issuer or an audience */
    AUTH_CLAIM_MAX = 128,
    AUTH_PREFIX_MAX = 32,
    AUTH_ROLE_VALUES_MAX = 64,
};

/* A public key. Only the algorithm that it names may be used with it. */
struct auth_key {
    const char *id;
    const char *algorithm;      /* "ES256" or "RS256" */
    int64_t end_us;             /* no token of the key counts from this instant; INT64_MAX = none */
    uint8_t grant[DIGEST_SIZE]; /* of the issuer's entry and the key */
    json_t *jwk;                /* made by auth_jwk_public; contains the texts above */
};

/* The role that a value of the claim stands for. */
struct auth_role_value {
    const char *value;
    unsigned role;
};

struct auth_issuer {
    const char *name;
    uint8_t digest[DIGEST_SIZE]; /* of the name */
    uint8_t entry[DIGEST_SIZE];  /* of all members in issuers.json */
    const char *audience;
    unsigned always;        /* the role of each token; 0 = the claim decides */
    const char *role_claim; /* a dotted path */
    struct auth_role_value *role_values;
    size_t role_value_count;
    const char *scope_claim; /* a dotted path; NULL = tokens have no scope */
    const char *subject_prefix;
    const char *keys_path;
    struct auth_key *keys;
    size_t key_count;
};

struct auth_issuers {
    struct auth_issuer *issuers;
    size_t count;
    /* The number of files that could not be read, so that their earlier contents count, and the first error.
     */
    size_t stale;
    struct error problem;
    json_t *file;       /* issuers.json, as it counts */
    struct arena arena; /* owns everything but the JSON of the keys */
};

/*
 * Reads the file at `path` and the files of keys that it names. `program` replaces the audience "@program".
 * Notes each file in `files`, also on failure.
 *
 * If `earlier` is not NULL, the earlier contents of each file that is missing or wrong count further, so that
 * one file does not keep a key of another one alive: the earlier list if issuers.json is wrong, and the
 * earlier keys of the issuer, or none, if its file of keys is. Then out->stale is not 0. Errors:
 * INVALID_ARGUMENT "issuers: FILE: what is wrong", RESOURCE_EXHAUSTED. The caller releases *out with
 * auth_issuers_free.
 */
MUST_CHECK enum status auth_issuers_read(const char *path, const char *program, struct auth_files *files,
                                         const struct auth_issuers *earlier, struct auth_issuers **out,
                                         struct error *error);
void auth_issuers_free(struct auth_issuers *issuers);

/* Return NULL if there is none. */
const struct auth_issuer *auth_issuers_find(const struct auth_issuers *issuers, const char *name);
const struct auth_key *auth_issuers_find_grant(const struct auth_issuers *issuers,
                                               const uint8_t grant[DIGEST_SIZE]);
const struct auth_key *auth_issuer_find_key(const struct auth_issuer *issuer, const char *id);

#endif
