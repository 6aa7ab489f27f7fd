#include "rpc/wire_check.h"

#include <stdbool.h>
#include <stdio.h>

#include "base/text.h"

enum { DEPTH_MAX = 16, PATH_SIZE = 128, VARINT_BYTES_MAX = 10 };

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

enum verdict { WELL_FORMED, MALFORMED, REFUSED /* the error says why */ };

/* A message on the way from the payload down to the field being looked at. */
struct frame {
    const struct frame *outer;
    const ProtobufCFieldDescriptor *field; /* being looked at */
};

struct reader {
    const uint8_t *at;
    const uint8_t *end;
};

static bool read_varint(struct reader *reader, uint64_t *value)
{
    *value = 0;
    for (unsigned i = 0; i < VARINT_BYTES_MAX && reader->at < reader->end; i++) {
        uint8_t byte = *reader->at++;
        *value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            return true;
        }
    }
    return false;
}

static bool skip(struct reader *reader, uint64_t size)
{
    if (size > (uint64_t)(reader->end - reader->at)) {
        return false;
    }
    reader->at += size;
    return true;
}

static size_t write_path(const struct frame *frame, char path[PATH_SIZE], size_t used)
{
    if (frame->outer != NULL) {
        used = write_path(frame->outer, path, used);
        if (used < PATH_SIZE - 1) {
            path[used++] = '.';
        }
    }
    int length = snprintf(path + used, PATH_SIZE - used, "%s", frame->field->name);
    size_t wanted = used + (size_t)(length > 0 ? length : 0);
    return wanted < PATH_SIZE ? wanted : PATH_SIZE - 1;
}

static enum verdict refuse(const struct frame *frame, const char *rule, struct error *error)
{
    char path[PATH_SIZE] = "";
    (void)write_path(frame, path, 0);
    (void)error_set(error, STATUS_INVALID_ARGUMENT, NULL, "%s: %s", path, rule);
    return REFUSED;
}

static enum verdict check_message(const ProtobufCMessageDescriptor *descriptor, struct reader reader,
                                  const struct frame *outer, unsigned depth, struct error *error);

/* The content of a length-delimited field. */
static enum verdict check_content(const struct frame *frame, struct reader content, unsigned depth,
                                  struct error *error)
{
    switch (frame->field->type) {
    case PROTOBUF_C_TYPE_STRING:
        if (!text_is_utf8((const char *)content.at, (size_t)(content.end - content.at))) {
            return refuse(frame, "must be valid UTF-8 without NUL", error);
        }
        return WELL_FORMED;
    case PROTOBUF_C_TYPE_MESSAGE:
        if (depth == DEPTH_MAX) {
            return refuse(frame, "must not nest deeper than 16 messages", error);
        }
        return check_message(frame->field->descriptor, content, frame, depth + 1, error);
    default:
        return WELL_FORMED; /* packed numbers and bytes: unpack looks at them */
    }
}

/* frame->field is NULL for a field that the descriptor does not know. */
static enum verdict check_field(struct reader *reader, const struct frame *frame, enum wire_type type,
                                unsigned depth, struct error *error)
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
        if (!read_varint(reader, &value)) {
            return MALFORMED;
        }
        struct reader content = {.at = reader->at};
        if (!skip(reader, value)) {
            return MALFORMED;
        }
        content.end = reader->at;
        return frame->field != NULL ? check_content(frame, content, depth, error) : WELL_FORMED;
    }
    default:
        return MALFORMED; /* groups: proto3 has none */
    }
}

static enum verdict check_message(const ProtobufCMessageDescriptor *descriptor, struct reader reader,
                                  const struct frame *outer, unsigned depth, struct error *error)
{
    enum verdict verdict = WELL_FORMED;
    while (verdict == WELL_FORMED && reader.at < reader.end) {
        uint64_t tag;
        if (!read_varint(&reader, &tag) || tag >> 3 == 0 || tag > UINT32_MAX) {
            return MALFORMED;
        }
        struct frame frame = {
            .outer = outer,
            .field = protobuf_c_message_descriptor_get_field(descriptor, (unsigned)(tag >> 3)),
        };
        verdict = check_field(&reader, &frame, (enum wire_type)(tag & 7), depth, error);
    }
    return verdict;
}

enum status wire_check(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes, size_t size,
                       struct error *error)
{
    if (size == 0) {
        return STATUS_OK;
    }
    struct reader reader = {.at = bytes, .end = bytes + size};
    switch (check_message(descriptor, reader, NULL, 1, error)) {
    case WELL_FORMED:
        return STATUS_OK;
    case REFUSED:
        return STATUS_INVALID_ARGUMENT;
    default:
        return error_set(error, STATUS_INVALID_ARGUMENT, NULL, "payload: not a valid %s", descriptor->name);
    }
}
