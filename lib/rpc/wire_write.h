/*
 * Writes protobuf wire format by hand, for messages whose submessages are already packed: the caller adds up
 * the sizes first, then writes the bytes. Pure; any thread.
 */
#ifndef SCREENING_RPC_WIRE_WRITE_H
#define SCREENING_RPC_WIRE_WRITE_H

#include <stddef.h>
#include <stdint.h>

enum { WIRE_VARINT_FIELD_MAX = 15 }; /* longest tag plus longest value */

/* Size of `value` as a varint: 1 to 10 bytes. */
size_t wire_varint_size(uint64_t value);

/*
 * Size of field `field` of type string, bytes or message with `size` bytes of content: tag, length, content.
 */
size_t wire_bytes_size(unsigned field, size_t size);

/* Size of a varint field. Proto3 omits zero values; the caller decides that. */
size_t wire_varint_field_size(unsigned field, uint64_t value);

/* Size of a field of type fixed64. */
size_t wire_fixed64_field_size(unsigned field);

/*
 * These functions write at `at`, where the caller has reserved the size that the _size functions
 * return. They return the address just past the bytes that they wrote.
 */
uint8_t *wire_put_varint(uint8_t *at, uint64_t value);

/* `bytes` may be NULL when `size` is 0. */
uint8_t *wire_put_bytes(uint8_t *at, unsigned field, const void *bytes, size_t size);

/* Writes only the tag and the length; the caller writes the `size` bytes of content after them. */
uint8_t *wire_put_bytes_header(uint8_t *at, unsigned field, size_t size);

uint8_t *wire_put_varint_field(uint8_t *at, unsigned field, uint64_t value);

uint8_t *wire_put_fixed64_field(uint8_t *at, unsigned field, uint64_t value);

#endif
