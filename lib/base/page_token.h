/*
 * Paging for the list methods: page tokens, and the size limit of a page. A token records where the previous
 * page ended (two sort keys) and is bound to its query. Pure; any thread.
 */
#ifndef SCREENING_BASE_PAGE_TOKEN_H
#define SCREENING_BASE_PAGE_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/uuid.h"

enum { PAGE_TOKEN_SIZE = 65, PAGE_SIZE_DEFAULT = 50, PAGE_SIZE_MAX = 500 };

struct page_position {
    int64_t major; /* 0 if the list is ordered by id alone */
    struct uuid id;
};

/* Writes the token of `position` for a query with the canonical text `query`. Returns `out`. */
char *page_token_format(const struct page_position *position, const char *query, char out[PAGE_TOKEN_SIZE]);

/* Parses a token. Returns INVALID_ARGUMENT "page_token: ..." unless it was made for this `query`. */
MUST_CHECK enum status page_token_parse(const char *token, const char *query, struct page_position *out,
                                        struct error *error);

/*
 * Checks a requested page size and replaces 0 with the default. Returns INVALID_ARGUMENT "page_size: ..." if
 * it exceeds PAGE_SIZE_MAX.
 */
MUST_CHECK enum status page_size_check(uint32_t requested, uint32_t *out, struct error *error);

/* The room left on a page. The page ends when the next item would make the response too large. */
struct page_room {
    size_t left_bytes;
    bool has_items;
};

/*
 * Starts a page. `response_max_bytes` limits the packed size of the response. Reserves room for its
 * next_page_token.
 */
void page_room_init(struct page_room *room, size_t response_max_bytes);

/*
 * Takes room for one item with a packed size of `item_bytes`. Returns false if the item belongs on the next
 * page. The first item always fits, so that every page makes progress.
 */
MUST_CHECK bool page_room_take(struct page_room *room, size_t item_bytes);

#endif
