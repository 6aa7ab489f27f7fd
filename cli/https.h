/* Fetches small documents over HTTPS with libcurl. One thread only. */
#ifndef SCREENING_CLI_HTTPS_H
#define SCREENING_CLI_HTTPS_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

struct https_options {
    const char *ca_file; /* the authorities that are trusted; NULL = those of the system */
    uint32_t timeout_ms; /* for the whole exchange */
    size_t max_bytes;    /* the largest body that is accepted */
};

/* Returns whether `url` begins with https:// and a host, and has neither a user, nor a query, nor a fragment.
 */
bool https_url_is_valid(const char *url);

/*
 * Fetches the document at `url` into the arena, with a NUL that *size does not count. Follows no redirect,
 * and speaks TLS 1.2 or later. Returns UNAVAILABLE if the exchange fails, FAILED_PRECONDITION if the answer
 * is not 200 or is too large, or if libcurl is not installed, and
 * RESOURCE_EXHAUSTED when out of memory. Messages begin with the URL.
 */
MUST_CHECK enum status https_get(struct arena *arena, const char *url, const struct https_options *options,
                                 char **out, size_t *size, struct error *error);

#endif
