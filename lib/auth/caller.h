/* Who makes a call, and what that caller may do with an object. Pure; any thread. */
#ifndef SCREENING_AUTH_CALLER_H
#define SCREENING_AUTH_CALLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/uuid.h"

enum auth_role {
    AUTH_CUSTOMER = 1,
    AUTH_STAFF = 2,
    AUTH_ADMIN = 4,
    AUTH_AUDITOR = 8,
    AUTH_SERVICE = 16,
};

enum { AUTH_ROLES_ALL = 31, AUTH_SUBJECT_MAX = 64, AUTH_SCOPE_MAX = 64 };

struct auth_caller {
    unsigned roles;           /* a set of enum auth_role; 0 = anonymous */
    const char *subject;      /* "" = anonymous */
    const struct uuid *scope; /* the objects for which AUTH_STAFF holds */
    size_t scope_count;
    /*
     * What proved it, zero without a token: the digest of the issuer's name, and that of the issuer's entry
     * and the key (auth_still_counts). Two issuers may name different people by the same subject, so what is
     * counted or kept for a caller belongs to the issuer and the subject.
     */
    uint8_t issuer[DIGEST_SIZE], grant[DIGEST_SIZE];
    int64_t until_us; /* the proof has expired at this instant; the skew is included */
};

/* Where a call comes from. All sources of an entrance share a bound on wrong tokens (attempts.h). */
struct auth_source {
    uint64_t number; /* of the sender at its entrance; 0 = a place without bounds */
    uint32_t entrance;
};

/* The source of those who need no bound, such as services. */
extern const struct auth_source AUTH_TRUSTED_PLACE;

/* The caller without a token. */
extern const struct auth_caller AUTH_ANONYMOUS;

/* The caller with all roles: every caller of a server that checks no tokens. */
extern const struct auth_caller AUTH_TRUSTED;

/*
 * Returns whether the caller may see what belongs to the person `owner` and the object `object`. ADMIN,
 * AUDITOR and SERVICE may see everything, CUSTOMER what belongs to itself, STAFF what belongs to an object in
 * its scope.
 */
bool auth_caller_may_see(const struct auth_caller *caller, const char *owner, const struct uuid *object);

/* Returns whether the caller may act for the object: ADMIN always, STAFF if the object is in its scope. */
bool auth_caller_has_scope(const struct auth_caller *caller, const struct uuid *object);

#endif
