/* Budgets: how much memory all requests in flight hold, and how much of it those of each client. */
#include "http2_internal.h"

#include "base/digest.h"

/* What a list is charged until it is answered. */
enum { LIST_BYTES = 512 * 1024 };

static size_t line_of(const char *client)
{
    return client[0] != '\0' ? fair_line_of(digest_address(client)) : HTTP2_LINE_UNKNOWN;
}

bool http2_has_room(const struct http_request *request, enum http2_part part)
{
    const struct http2_held *held = &request->thread->server->held[part];
    size_t all = atomic_load(&held->all), by_line = atomic_load(&held->by_line[request->line]);
    if (request->line == HTTP2_LINE_UNKNOWN)
        return all <= HTTP2_ALL_MAX;
    return by_line <= HTTP2_FREE_BYTES || (all <= HTTP2_BUDGET_BYTES && by_line <= HTTP2_BUDGET_BYTES - all);
}

bool http2_holds_much(const struct http_request *request, enum http2_part part)
{
    return atomic_load(&request->thread->server->held[part].by_line[request->line]) > HTTP2_BUDGET_BYTES / 8;
}

void http2_charge_always(struct http_request *request, enum http2_part part, size_t bytes)
{
    struct http2_held *held = &request->thread->server->held[part];
    atomic_fetch_add(&held->all, bytes);
    atomic_fetch_add(&held->by_line[request->line], bytes);
    request->held_bytes[part] += bytes;
}

static void give_back(struct http_request *request, enum http2_part part, size_t bytes)
{
    struct http2_held *held = &request->thread->server->held[part];
    CHECK(request->held_bytes[part] >= bytes);
    request->held_bytes[part] -= bytes;
    size_t by_line = atomic_fetch_sub(&held->by_line[request->line], bytes);
    size_t all = atomic_fetch_sub(&held->all, bytes);
    CHECK(by_line >= bytes && all >= bytes);
}

bool http2_charge(struct http_request *request, enum http2_part part, size_t bytes)
{
    http2_charge_always(request, part, bytes);
    if (http2_has_room(request, part))
        return true;
    give_back(request, part, bytes);
    return false;
}

void http2_uncharge(struct http_request *request, enum http2_part part)
{
    give_back(request, part, request->held_bytes[part]);
}

void http2_charge_client(struct http_request *request)
{
    size_t held[HTTP2_PARTS];
    for (int part = 0; part < HTTP2_PARTS; part++) {
        held[part] = request->held_bytes[part];
        http2_uncharge(request, part);
    }
    request->line = line_of(request->client);
    for (int part = 0; part < HTTP2_PARTS; part++)
        http2_charge_always(request, part, held[part]);
}

bool http_reserve_answer(struct http_request *request)
{
    return http2_charge(request, HTTP2_ANSWERS, LIST_BYTES);
}
