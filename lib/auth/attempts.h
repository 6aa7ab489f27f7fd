/*
 * Limits how many wrong tokens are verified, because each costs a signature, which takes 0.1 ms: a bucket for
 * each source of calls, and one for all sources of an entrance together, so that a source that changes its
 * connection gains little, and costs those who use another entrance nothing. A token that is remembered, or
 * that is wrong without its signature, costs nothing. Any thread.
 */
#ifndef SCREENING_AUTH_ATTEMPTS_H
#define SCREENING_AUTH_ATTEMPTS_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/caller.h"
#include "base/status.h"

enum {
    AUTH_ATTEMPTS_BURST = 20, /* of one source */
    AUTH_ATTEMPTS_PER_S = 2,
    AUTH_ATTEMPTS_ALL_BURST = 1000, /* of an entrance */
    AUTH_ATTEMPTS_ALL_PER_S = 500,
};

struct auth_attempts;

/* The only error is RESOURCE_EXHAUSTED. The caller releases *out with auth_attempts_close. */
MUST_CHECK enum status auth_attempts_open(struct auth_attempts **out, struct error *error);

/* NULL is allowed. */
void auth_attempts_close(struct auth_attempts *attempts);

/*
 * Returns whether a token of the source may be verified at `now_ns` of the monotonic clock. If not, sets
 * *retry_after_ms, at least 1. A source with the number 0 has no limit.
 */
MUST_CHECK bool auth_attempts_allow(struct auth_attempts *attempts, struct auth_source source, int64_t now_ns,
                                    uint32_t *retry_after_ms);

/* Counts a token of the source that turned out to be wrong when its signature had been verified. */
void auth_attempts_fail(struct auth_attempts *attempts, struct auth_source source, int64_t now_ns);

#endif
