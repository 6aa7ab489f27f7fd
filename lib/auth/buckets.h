/*
 * Limits how often each caller may call: a token bucket for changes and one for reads, for each subject of
 * each issuer. Any thread.
 *
 * The number of subjects is bounded. A new subject displaces, of the few that share its place, the one whose
 * buckets are full again first, which loses nothing if they are full already.
 */
#ifndef SCREENING_AUTH_BUCKETS_H
#define SCREENING_AUTH_BUCKETS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/status.h"

enum { AUTH_BUCKETS_SUBJECTS = 16384 };

enum auth_call_kind { AUTH_CHANGE, AUTH_READ, AUTH_CALL_KINDS };

/* `burst` calls at once, and then `per_s` in each second. Both at least 1. */
struct auth_rate {
    uint32_t per_s, burst;
};

struct auth_buckets;

/* The only error is RESOURCE_EXHAUSTED. The caller releases *out with auth_buckets_close. */
MUST_CHECK enum status auth_buckets_open(const struct auth_rate rates[AUTH_CALL_KINDS],
                                         struct auth_buckets **out, struct error *error);

/* NULL is allowed. */
void auth_buckets_close(struct auth_buckets *buckets);

/*
 * Takes one call from the bucket of the subject of an issuer (struct auth_caller) at `now_ns` of the
 * monotonic clock. If the bucket is empty, returns false and sets *retry_after_ms to the time, at least 1,
 * until it has a call again.
 */
MUST_CHECK bool auth_buckets_take(struct auth_buckets *buckets, const uint8_t issuer[DIGEST_SIZE],
                                  const char *subject, enum auth_call_kind kind, int64_t now_ns,
                                  uint32_t *retry_after_ms);

/* Like auth_buckets_take, but takes nothing. */
MUST_CHECK bool auth_buckets_look(struct auth_buckets *buckets, const uint8_t issuer[DIGEST_SIZE],
                                  const char *subject, enum auth_call_kind kind, int64_t now_ns,
                                  uint32_t *retry_after_ms);

#endif
