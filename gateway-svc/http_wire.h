/*
 * Checks the data of a connection byte by byte before libmicrohttpd reads it. The check finds out whether
 * every implementation would see the same ends of lines and requests.
 *
 * libmicrohttpd (0.9) also accepts lines that end in LF alone, values that continue on the next line and
 * values that contain a NUL, and shows none of that to its caller. A client could make a proxy that reads
 * these differently forward requests that the proxy has not seen. Pure; one thread at a time.
 */
#ifndef SCREENING_GATEWAY_SVC_HTTP_WIRE_H
#define SCREENING_GATEWAY_SVC_HTTP_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum http_wire_state {
    WIRE_START, /* before the first line of a request, where empty lines are allowed */
    WIRE_LINE,
    WIRE_NAME_FIRST, /* the first byte of a field, or of the empty line that ends the head or the trailer */
    WIRE_NAME,
    WIRE_VALUE,
    WIRE_BODY,
    WIRE_SIZE_FIRST, /* at the first byte of the size of a chunk */
    WIRE_SIZE,
    WIRE_EXTENSION,
    WIRE_CHUNK,
    WIRE_CHUNK_END, /* after the last byte of a chunk */
    WIRE_LF,        /* after CR; `after_lf` is next */
    WIRE_UNCHECKED, /* http_head.h refuses this head, so no other request follows */
    WIRE_BAD
};

enum { WIRE_NAME_MAX = 20, WIRE_VALUE_MAX = 24 };

/* All zero for a new connection. */
struct http_wire {
    enum http_wire_state state, after_lf;
    uint64_t left;    /* remaining bytes of the body or of the chunk */
    unsigned lengths; /* number of fields that give the length of the body */
    bool doubtful;    /* whether one of them gives no valid length */
    bool chunked;
    bool trailer;
    bool tells_length; /* whether the current field gives the length */
    unsigned char name_size, value_size;
    char name[WIRE_NAME_MAX];   /* name of the current field, in lower case, truncated */
    char value[WIRE_VALUE_MAX]; /* value of the current field, without leading spaces, truncated */
};

/*
 * Processes the next bytes. Returns false once the data could be read in more than one way, and from then on.
 */
bool http_wire_take(struct http_wire *wire, const char *bytes, size_t size);

#endif
