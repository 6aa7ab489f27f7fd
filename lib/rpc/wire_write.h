/*
 * Protobuf wire bytes by hand, for messages whose submessages are already packed: sizes first, then the
 * bytes. Pure; any thread.
 */
#ifndef SCREENING_RPC_WIRE_WRITE_H
#define SCREENING_RPC_WIRE_WRITE_H

#include <stddef.h>
#include <stdint.h>

enum { WIRE_VARINT_FIELD_MAX = 15 }; /* tag and value, each as long as they get */

/* Bytes that `value` takes as a varint: 1 to 10. */
size_t wire_varint_size(uint64_t value);

/* Bytes that `size` bytes take as field `field` of type string, bytes or message: tag, length and content. */
size_t wire_bytes_size(unsigned field, size_t size);

/* Bytes of a varint field. Proto3 leaves zero values out: that is the caller's decision. */
size_t wire_varint_field_size(unsigned field, uint64_t value);

/* Bytes of a field of type fixed64. */
size_t wire_fixed64_field_size(unsigned field);

/* All of these write at `at`, which has the room told by the _size functions, and return the first byte
 * behind. */
uint8_t *wire_put_varint(uint8_t *at, uint64_t value);

/* `bytes` may be NULL when `size` is 0. */
uint8_t *wire_put_bytes(uint8_t *at, unsigned field, const void *bytes, size_t size);

/* Only the tag and the length; the caller writes the `size` bytes of content behind them. */
uint8_t *wire_put_bytes_header(uint8_t *at, unsigned field, size_t size);

uint8_t *wire_put_varint_field(uint8_t *at, unsigned field, uint64_t value);

uint8_t *wire_put_fixed64_field(uint8_t *at, unsigned field, uint64_t value);

#endif
