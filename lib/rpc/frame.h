/*
 * Where in its protocol a connection stands, by the bytes that came in on it: a greeting of 8 bytes, then
 * messages, each behind its length (docs/wire-protocol.md, section 1). Pure; not thread-safe.
 */
#ifndef SCREENING_RPC_FRAME_H
#define SCREENING_RPC_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum rpc_frame_place {
    RPC_FRAME_GREETING,
    RPC_FRAME_BETWEEN, /* two messages */
    RPC_FRAME_LENGTH,  /* in the middle of it */
    RPC_FRAME_BODY,
};

enum { RPC_FRAME_GREETING_BYTES = 8, RPC_FRAME_HEADER_MAX = 9 };

struct rpc_frame {
    enum rpc_frame_place place;
    bool is_ipc;  /* a length is behind one byte that says what follows */
    uint8_t have; /* bytes of the greeting or the length */
    uint8_t header[RPC_FRAME_HEADER_MAX];
    uint64_t size_bytes; /* of the message in RPC_FRAME_BODY */
    uint64_t left_bytes; /* of it */
};

void rpc_frame_init(struct rpc_frame *frame, bool is_ipc);

/* Takes in what came. Returns how many messages were completed by it. */
size_t rpc_frame_take(struct rpc_frame *frame, const uint8_t *bytes, size_t size);

#endif
