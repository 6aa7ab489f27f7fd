/*
 * Tracks the position of a connection in the wire protocol from the bytes received on it: a greeting of 8
 * bytes, then messages, each preceded by its length (docs/wire-protocol.md, section 1). Pure; not
 * thread-safe.
 */
#ifndef SCREENING_RPC_FRAME_H
#define SCREENING_RPC_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum rpc_frame_place {
    RPC_FRAME_GREETING,
    RPC_FRAME_BETWEEN, /* between two messages */
    RPC_FRAME_LENGTH,  /* in the middle of a length */
    RPC_FRAME_BODY,
};

enum { RPC_FRAME_GREETING_BYTES = 8, RPC_FRAME_HEADER_MAX = 9 };

struct rpc_frame {
    enum rpc_frame_place place;
    bool is_ipc;  /* each length is preceded by one byte that gives the type of the message */
    uint8_t have; /* bytes received of the greeting or the length */
    uint8_t header[RPC_FRAME_HEADER_MAX];
    uint64_t size_bytes; /* size of the message in RPC_FRAME_BODY */
    uint64_t left_bytes; /* bytes of it still to come */
};

void rpc_frame_init(struct rpc_frame *frame, bool is_ipc);

/* Consumes received bytes. Returns the number of messages that they completed. */
size_t rpc_frame_take(struct rpc_frame *frame, const uint8_t *bytes, size_t size);

#endif
