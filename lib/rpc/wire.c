#include "rpc/wire.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { DEPTH_MAX = 16, PATH_SIZE = 128, VARINT_BYTES_MAX = 10, FIELDS_SEEN_MAX = 64 };

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

enum verdict { WELL_FORMED, MALFORMED, REFUSED /* `error` has the reason */ };

/* A message on the path from the payload down to the current field. */
struct frame {
    const struct frame *outer;
    const ProtobufCFieldDescriptor *field; /* the current field; NULL if it is not in the descriptor */
    uint32_t number;
};

struct reader {
    const uint8_t *at;
    const uint8_t *end;
};

/* The state of one call to wire_check. */
struct scan {
    size_t elements_max;
    size_t elements; /* number of elements counted so far */
    struct error *error;
};

static bool read_varint(struct reader *reader, uint64_t *value)
{
    *value = 0;
    for (unsigned i = 0; i < VARINT_BYTES_MAX && reader->at < reader->end; i++) {
        uint8_t byte = *reader->at++;
        *value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80)
            return true;
    }
    return false;
}

static bool skip(struct reader *reader, uint64_t size)
{
    if (size > (uint64_t)(reader->end - reader->at))
        return false;
    reader->at += size;
    return true;
}

static size_t write_path(const struct frame *frame, char path[PATH_SIZE], size_t used)
{
    if (frame->outer != NULL) {
        used = write_path(frame->outer, path, used);
        if (used < PATH_SIZE - 1)
            path[used++] = '.';
    }
    int length = frame->field != NULL ? snprintf(path + used, PATH_SIZE - used, "%s", frame->field->name)
                                      : snprintf(path + used, PATH_SIZE - used, "field %u", frame->number);
    size_t wanted = used + (size_t)(length > 0 ? length : 0);
    return wanted < PATH_SIZE ? wanted : PATH_SIZE - 1;
}

static enum verdict refuse(const struct frame *frame, const char *rule, const struct scan *scan)
{
    char path[PATH_SIZE] = "";
    (void)write_path(frame, path, 0);
    (void)error_invalid(scan->error, "%s: %s", path, rule);
    return REFUSED;
}

static enum verdict count_elements(const struct frame *frame, size_t count, struct scan *scan)
{
    scan->elements += count;
    if (scan->elements <= scan->elements_max)
        return WELL_FORMED;
    char rule[PATH_SIZE];
    (void)snprintf(rule, sizeof rule, "the message has more than %zu repeated or unknown elements",
                   scan->elements_max);
    return refuse(frame, rule, scan);
}

/*
 * Counts the numbers in a packed field. For malformed content, the result may be any number up to the size in
 * bytes.
 */
static size_t packed_count(ProtobufCType type, struct reader content)
{
    size_t size = (size_t)(content.end - content.at);
    switch (type) {
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return size / sizeof(uint32_t);
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return size / sizeof(uint64_t);
    default:
        break;
    }
    size_t count = 0;
    for (const uint8_t *at = content.at; at < content.end; at++)
        count += *at < 0x80; /* the last byte of a varint */
    return count;
}

static enum verdict check_message(const ProtobufCMessageDescriptor *descriptor, struct reader reader,
                                  const struct frame *outer, unsigned depth, struct scan *scan);

/* Checks the content of a length-delimited field. */
static enum verdict check_content(const struct frame *frame, struct reader content, unsigned depth,
                                  struct scan *scan)
{
    switch (frame->field->type) {
    case PROTOBUF_C_TYPE_STRING:
        if (!text_is_utf8((const char *)content.at, (size_t)(content.end - content.at)))
            return refuse(frame, "must be valid UTF-8 without NUL", scan);
        return WELL_FORMED;
    case PROTOBUF_C_TYPE_MESSAGE:
        if (depth == DEPTH_MAX)
            return refuse(frame, "must not nest deeper than 16 messages", scan);
        return check_message(frame->field->descriptor, content, frame, depth + 1, scan);
    case PROTOBUF_C_TYPE_BYTES:
        return WELL_FORMED;
    default:
        /* Packed numbers are only counted here. protobuf-c's unpack checks each of them. */
        return count_elements(frame, packed_count(frame->field->type, content), scan);
    }
}

static enum verdict check_field(struct reader *reader, const struct frame *frame, enum wire_type type,
                                unsigned depth, struct scan *scan)
{
    uint64_t value;
    switch (type) {
    case WIRE_VARINT:
        return read_varint(reader, &value) ? WELL_FORMED : MALFORMED;
    case WIRE_FIXED64:
        return skip(reader, 8) ? WELL_FORMED : MALFORMED;
    case WIRE_FIXED32:
        return skip(reader, 4) ? WELL_FORMED : MALFORMED;
    case WIRE_BYTES: {
        if (!read_varint(reader, &value))
            return MALFORMED;
        struct reader content = {.at = reader->at};
        if (!skip(reader, value))
            return MALFORMED;
        content.end = reader->at;
        return frame->field != NULL ? check_content(frame, content, depth, scan) : WELL_FORMED;
    }
    default:
        return MALFORMED; /* proto3 has no groups */
    }
}

/*
 * Returns whether the field counts as an element (see wire.h). A field whose index is FIELDS_SEEN_MAX or
 * higher always does.
 */
static bool is_element(const ProtobufCMessageDescriptor *descriptor, const ProtobufCFieldDescriptor *field,
                       uint64_t *seen)
{
    if (field == NULL || field - descriptor->fields >= FIELDS_SEEN_MAX)
        return true;
    uint64_t bit = UINT64_C(1) << (field - descriptor->fields);
    bool before = (*seen & bit) != 0;
    *seen |= bit;
    return before;
}

static enum verdict check_message(const ProtobufCMessageDescriptor *descriptor, struct reader reader,
                                  const struct frame *outer, unsigned depth, struct scan *scan)
{
    enum verdict verdict = WELL_FORMED;
    uint64_t seen = 0; /* one bit per field index */
    while (verdict == WELL_FORMED && reader.at < reader.end) {
        uint64_t tag;
        if (!read_varint(&reader, &tag) || tag >> 3 == 0 || tag > UINT32_MAX)
            return MALFORMED;
        struct frame frame = {
            .outer = outer,
            .field = protobuf_c_message_descriptor_get_field(descriptor, (unsigned)(tag >> 3)),
            .number = (uint32_t)(tag >> 3),
        };
        if (is_element(descriptor, frame.field, &seen))
            verdict = count_elements(&frame, 1, scan);
        if (verdict == WELL_FORMED)
            verdict = check_field(&reader, &frame, (enum wire_type)(tag & 7), depth, scan);
    }
    return verdict;
}

enum status wire_check(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes, size_t size,
                       size_t elements_max, struct error *error)
{
    if (size == 0)
        return STATUS_OK;
    struct reader reader = {.at = bytes, .end = bytes + size};
    struct scan scan = {.elements_max = elements_max, .error = error};
    switch (check_message(descriptor, reader, NULL, 1, &scan)) {
    case WELL_FORMED:
        return STATUS_OK;
    case REFUSED:
        return STATUS_INVALID_ARGUMENT;
    default:
        return error_invalid(error, "payload: not a valid %s", descriptor->name);
    }
}

static ProtobufCMessage *unpack(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes,
                                size_t size, struct arena *arena, struct error *error)
{
    ProtobufCMessage *message = protobuf_c_message_unpack(descriptor, arena_allocator(arena), size, bytes);
    if (message == NULL)
        (void)error_invalid(error, "payload: not a valid %s", descriptor->name);
    return message;
}

ProtobufCMessage *wire_unpack(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes, size_t size,
                              size_t elements_max, struct arena *arena, struct error *error)
{
    if (wire_check(descriptor, bytes, size, elements_max, error) != STATUS_OK)
        return NULL;
    return unpack(descriptor, bytes, size, arena, error);
}

ProtobufCMessage *wire_unpack_answer(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes,
                                     size_t size, struct arena *arena, struct error *error)
{
    /* An element takes at least one byte, so a smaller message cannot have too many. */
    if (size > WIRE_ANSWER_ELEMENTS_MAX &&
        wire_check(descriptor, bytes, size, WIRE_ANSWER_ELEMENTS_MAX, error) != STATUS_OK)
        return NULL;
    return unpack(descriptor, bytes, size, arena, error);
}

/* ---- writing ---- */

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
    return wire_varint_size(tag_of(field, WIRE_BYTES)) + wire_varint_size(size) + size;
}

size_t wire_varint_field_size(unsigned field, uint64_t value)
{
    return wire_varint_size(tag_of(field, WIRE_VARINT)) + wire_varint_size(value);
}

size_t wire_fixed64_field_size(unsigned field)
{
    return wire_varint_size(tag_of(field, WIRE_FIXED64)) + sizeof(uint64_t);
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
    at = wire_put_varint(at, tag_of(field, WIRE_BYTES));
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
    at = wire_put_varint(at, tag_of(field, WIRE_VARINT));
    return wire_put_varint(at, value);
}

uint8_t *wire_put_fixed64_field(uint8_t *at, unsigned field, uint64_t value)
{
    at = wire_put_varint(at, tag_of(field, WIRE_FIXED64));
    for (size_t i = 0; i < sizeof value; i++)
        *at++ = (uint8_t)(value >> 8 * i);
    return at;
}
