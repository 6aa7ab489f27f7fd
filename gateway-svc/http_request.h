/* Private to http*.c: a request. */
#ifndef SCREENING_GATEWAY_SVC_HTTP_REQUEST_H
#define SCREENING_GATEWAY_SVC_HTTP_REQUEST_H

#include "client_address.h"
#include "http.h"

#include "base/queue.h"

struct http2_connection;
struct http2_thread;

/*
 * The parts of requests that have separate budgets, so that large bodies do not block other requests. Answers
 * are charged even beyond the share of the client, because their calls have been executed; meanwhile, new
 * requests of the client are refused.
 */
enum http2_part { HTTP2_HEADS, HTTP2_BODIES, HTTP2_ANSWERS, HTTP2_PARTS };

/* A list of names and values in an arena. */
struct http_list {
    struct http_field *fields;
    size_t count, capacity;
};

struct http_request {
    /* what its handler reads, and writes with http_set_route, http_add_field and http_respond */
    const char *method; /* "GET" for HEAD too */
    const char *path;
    struct http_list fields; /* the header fields */
    struct http_list query;  /* the decoded parameters */
    char *body;              /* NULL = none */
    size_t body_size;
    void (*take)(void *context, const uint8_t *bytes, size_t size); /* set by http_body_read; NULL = none */
    void *take_context;
    char client[CLIENT_ADDRESS_SIZE]; /* "" = not known */
    const char *route;                /* NULL if the path is not one of our routes */
    struct arena arena;
    struct http_field added[HTTP_ADDED_MAX]; /* the fields of http_add_field */
    size_t added_count;
    bool responded; /* whether it was answered, or its stream was opened */
    struct http_answer answer;
    struct http_stream *stream; /* NULL = none */

    /* what the server keeps */
    struct http2_thread *thread;
    struct http2_connection *connection; /* NULL once the connection has ended */
    struct list_node node;
    int32_t stream_id;
    int64_t begun_ns;
    bool is_head;     /* the method is HEAD */
    bool head_done;   /* the head is complete */
    bool in_pieces;   /* the handler receives the request before its body */
    bool handed_over; /* a handler has received the request */
    bool answered;    /* the answer was given to libnghttp2 */
    bool closed;      /* the stream is closed, so the answer will be dropped */
    bool released;    /* whether the request only waits in thread->posted to be freed */
    unsigned refusal; /* the code with which to refuse the request; 0 = none */
    const char *why;
    const char *authority; /* NULL = none */
    size_t head_bytes, body_max, body_capacity, held_bytes[HTTP2_PARTS];
    size_t line;          /* of the client, see http2_budget.c */
    size_t dropped_bytes; /* bytes of the body dropped after the refusal */
    size_t sent;          /* bytes of the answer's body that libnghttp2 has read */
    int64_t deadline_ns;  /* for the body to arrive, or for the answer to be read */
    size_t moved_at;      /* value of `sent` at `moved_ns` */
    int64_t moved_ns;     /* when the answer, or the last 16 KiB of its body, were given to libnghttp2 */
    struct queue_node posted_node;
    bool posted; /* guarded by thread->lock */
};

/* Fields for browsers that every answer has. The gateway serves no pages, and no answer may be stored. */
enum { HTTP_ALWAYS_COUNT = 4 };
extern const struct http_field http_always[HTTP_ALWAYS_COUNT];

/* Appends a field, whose texts are not copied. Returns false when out of memory. */
MUST_CHECK bool http_list_add(struct arena *arena, struct http_list *list, const char *name,
                              const char *value);

enum { HTTP_PARAMETERS_MAX = 64 };

/*
 * Decodes a query, without its "?", into request->query. Returns INVALID_ARGUMENT if it has more than
 * HTTP_PARAMETERS_MAX parameters, or RESOURCE_EXHAUSTED when out of memory.
 */
MUST_CHECK enum status http_query_parse(struct http_request *request, const char *query);

/*
 * Returns the percent-decoded text in the arena, or NULL when out of memory. Text with %00 or with a "%" that
 * no two hexadecimal digits follow stays unchanged as a whole. In a query, `plus` makes each "+" a space.
 */
char *http_decode(struct arena *arena, const char *text, size_t size, bool plus);

/* The metrics of the server. */
extern struct metric http_in_hand_now, http_connections_now, http_timeouts_total, http_refused_total,
    http_slow_total;
void http_register_metrics(void);

#endif
