/*
 * Pages of the list methods: their tokens, which tell where the page before ended (two sort keys) and are
 * tied to the query they came from, and how much fits on one. Pure; any thread.
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

/* What is still free on a page: it ends when the next item would make the answer too large. */
struct page_room {
    size_t left_bytes;
    bool has_items;
};

/* `response_max_bytes`: of the packed response message; room for its next_page_token is set aside. */
void page_room_init(struct page_room *room, size_t response_max_bytes);

/*
 * Takes the room of one item whose packed message has `item_bytes`. False: it belongs on the next page. The
 * first one is always taken, so that every page gets on.
 */
MUST_CHECK bool page_room_take(struct page_room *room, size_t item_bytes);

#endif
