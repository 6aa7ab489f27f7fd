#include "rpc/wire_write.h"

#include <string.h>

enum { WIRE_TYPE_VARINT = 0, WIRE_TYPE_FIXED64 = 1, WIRE_TYPE_BYTES = 2 };

static uint64_t tag_of(unsigned field, unsigned wire_type)
{
    return (uint64_t)field << 3 | wire_type;
}

size_t wire_varint_size(uint64_t value)
{
    size_t size = 1;
    while (value >= 0x80) {
        value >>= 7;
        size++;
    }
    return size;
}

size_t wire_bytes_size(unsigned field, size_t size)
{
    return wire_varint_size(tag_of(field, WIRE_TYPE_BYTES)) + wire_varint_size(size) + size;
}

size_t wire_varint_field_size(unsigned field, uint64_t value)
{
    return wire_varint_size(tag_of(field, WIRE_TYPE_VARINT)) + wire_varint_size(value);
}

size_t wire_fixed64_field_size(unsigned field)
{
    return wire_varint_size(tag_of(field, WIRE_TYPE_FIXED64)) + sizeof(uint64_t);
}

uint8_t *wire_put_varint(uint8_t *at, uint64_t value)
{
    while (value >= 0x80) {
        *at++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *at++ = (uint8_t)value;
    return at;
}

uint8_t *wire_put_bytes_header(uint8_t *at, unsigned field, size_t size)
{
    at = wire_put_varint(at, tag_of(field, WIRE_TYPE_BYTES));
    return wire_put_varint(at, size);
}

uint8_t *wire_put_bytes(uint8_t *at, unsigned field, const void *bytes, size_t size)
{
    at = wire_put_bytes_header(at, field, size);
    if (size > 0)
        memcpy(at, bytes, size);
    return at + size;
}

uint8_t *wire_put_varint_field(uint8_t *at, unsigned field, uint64_t value)
{
    at = wire_put_varint(at, tag_of(field, WIRE_TYPE_VARINT));
    return wire_put_varint(at, value);
}

uint8_t *wire_put_fixed64_field(uint8_t *at, unsigned field, uint64_t value)
{
    at = wire_put_varint(at, tag_of(field, WIRE_TYPE_FIXED64));
    for (size_t i = 0; i < sizeof value; i++)
        *at++ = (uint8_t)(value >> 8 * i);
    return at;
}
