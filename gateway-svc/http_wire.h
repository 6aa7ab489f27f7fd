/*
 * What arrives on a connection, looked at byte by byte before libmicrohttpd reads it: whether everybody would
 * find the ends of its lines and of its requests in the same places.
 *
 * libmicrohttpd (0.9) also takes lines that end in LF alone, values that go on in the next line and values
 * with a NUL in them, and shows none of that to us afterwards; a proxy in front of us that reads them in
 * another way could be made to pass on requests that it has not seen. Pure; one thread at a time.
 */
#ifndef SCREENING_GATEWAY_SVC_HTTP_WIRE_H
#define SCREENING_GATEWAY_SVC_HTTP_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum http_wire_state {
    WIRE_START, /* before the first line of a request, where empty lines may stand */
    WIRE_LINE,
    WIRE_NAME_FIRST, /* the first byte of a field, or of the empty line that ends the head or the trailer */
    WIRE_NAME,
    WIRE_VALUE,
    WIRE_BODY,
    WIRE_SIZE_FIRST, /* of a chunk */
    WIRE_SIZE,
    WIRE_EXTENSION,
    WIRE_CHUNK,
    WIRE_CHUNK_END, /* behind its last byte */
    WIRE_LF,        /* after CR; `after_lf` is next */
    WIRE_UNCHECKED, /* the head is one that http_head.h refuses: no other request comes after it */
    WIRE_BAD
};

enum { WIRE_NAME_MAX = 20, WIRE_VALUE_MAX = 24 };

/* All zero: a new connection. */
struct http_wire {
    enum http_wire_state state, after_lf;
    uint64_t left;    /* bytes of the body or of the chunk */
    unsigned lengths; /* fields that tell how long the body is */
    bool doubtful;    /* one of them tells nothing */
    bool chunked;
    bool trailer;
    bool tells_length; /* the field at hand */
    unsigned char name_size, value_size;
    char name[WIRE_NAME_MAX];   /* of the field at hand, in lower case, cut off */
    char value[WIRE_VALUE_MAX]; /* without spaces before it, cut off */
};

/* Takes the next bytes. False: they are not HTTP that is read in one way only; so is all that follows. */
bool http_wire_take(struct http_wire *wire, const char *bytes, size_t size);

#endif
