/*
 * Page tokens of the list methods: where the page before ended (two sort keys), tied to the query they came
 * from. Pure; any thread.
 */
#ifndef SCREENING_BASE_PAGE_TOKEN_H
#define SCREENING_BASE_PAGE_TOKEN_H

#include <stdint.h>

#include "base/status.h"
#include "base/uuid.h"

enum { PAGE_TOKEN_SIZE = 65, PAGE_SIZE_DEFAULT = 50, PAGE_SIZE_MAX = 500 };

struct page_position {
    int64_t major; /* 0 where the id alone orders the list */
    struct uuid id;
};

/* Writes the token of `position` for the query whose canonical text is `query`. Returns `out`. */
char *page_token_format(const struct page_position *position, const char *query, char out[PAGE_TOKEN_SIZE]);

/* INVALID_ARGUMENT "page_token: ..." unless `token` was made for this `query`. */
MUST_CHECK enum status page_token_parse(const char *token, const char *query, struct page_position *out,
                                        struct error *error);

/* 0 becomes the default; INVALID_ARGUMENT "page_size: ..." above PAGE_SIZE_MAX. */
MUST_CHECK enum status page_size_check(uint32_t requested, uint32_t *out, struct error *error);

#endif
