/*
 * Tracks the position of a connection in the wire protocol from the bytes received on it: a greeting of 8
 * bytes, then messages, each preceded by its length (docs/wire-protocol.md, section 1). Pure; not
 * thread-safe.
 */
#ifndef SCREENING_NNG_FRAME_H
#define SCREENING_NNG_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum frame_place {
    FRAME_GREETING,
    FRAME_BETWEEN, /* between two messages */
    FRAME_LENGTH,  /* in the middle of a length */
    FRAME_BODY,
};

enum { FRAME_GREETING_BYTES = 8, FRAME_HEADER_MAX = 9 };

struct frame {
    enum frame_place place;
    bool is_ipc;  /* whether each length is preceded by one byte that gives the type of the message */
    uint8_t have; /* number of bytes received of the greeting or the length */
    uint8_t header[FRAME_HEADER_MAX];
    uint64_t size_bytes; /* size of the message in FRAME_BODY */
    uint64_t left_bytes; /* number of bytes of the message still to come */
};

void frame_init(struct frame *frame, bool is_ipc);

/* Consumes received bytes. Returns the number of messages that they complete. */
size_t frame_take(struct frame *frame, const uint8_t *bytes, size_t size);

#endif
