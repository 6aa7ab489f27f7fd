#include "protojson/scalar.h"

#include <ctype.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "protojson/base64.h"

/* Doubles represent every whole number up to this one exactly. */
static const double exact_max = 9007199254740992.0;

struct integer_range {
    int64_t min;
    uint64_t max;
};

static struct integer_range range_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return (struct integer_range){INT64_MIN, INT64_MAX};
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return (struct integer_range){0, UINT64_MAX};
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return (struct integer_range){0, UINT32_MAX};
    default:
        return (struct integer_range){INT32_MIN, INT32_MAX};
    }
}

/* An integer of either 64-bit type. */
struct integer {
    bool negative;
    uint64_t magnitude;
};

static struct integer integer_from_int64(int64_t value)
{
    return (struct integer){value < 0, value < 0 ? 0 - (uint64_t)value : (uint64_t)value};
}

/* Reads an integer in JSON's grammar: an optional minus sign, then digits without leading zeros. */
static bool integer_from_text(const char *text, size_t length, struct integer *out)
{
    struct integer value = {.negative = length > 0 && text[0] == '-'};
    size_t i = value.negative ? 1 : 0;
    if (i == length || (text[i] == '0' && i + 1 < length))
        return false;
    for (; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(text[i] - '0');
        if (value.magnitude > (UINT64_MAX - digit) / 10)
            return false;
        value.magnitude = value.magnitude * 10 + digit;
    }
    *out = value;
    return true;
}

static bool integer_from_json(const json_t *json, struct integer *out)
{
    if (json_is_integer(json)) {
        *out = integer_from_int64(json_integer_value(json));
        return true;
    }
    if (json_is_real(json)) {
        double value = json_real_value(json);
        if (fabs(value) > exact_max || value != floor(value))
            return false;
        *out = integer_from_int64((int64_t)value);
        return true;
    }
    return json_is_string(json) && integer_from_text(json_string_value(json), json_string_length(json), out);
}

/* Reads an integer. On success, sets *bits to its value in 64-bit two's complement. */
static enum status read_integer(const json_t *json, struct integer_range range,
                                const struct protojson_path *path, uint64_t *bits, struct error *error)
{
    struct integer value = {.negative = false};
    bool fits = integer_from_json(json, &value);
    if (fits)
        fits = value.magnitude <= (value.negative ? 0 - (uint64_t)range.min : range.max);
    if (!fits) {
        return protojson_refuse(error, STATUS_INVALID_ARGUMENT, path,
                                "must be an integer from %" PRId64 " to %" PRIu64, range.min, range.max);
    }
    *bits = value.negative ? 0 - value.magnitude : value.magnitude;
    return STATUS_OK;
}

static enum status read_enum(const json_t *json, const ProtobufCEnumDescriptor *descriptor,
                             const struct protojson_path *path, int32_t *out, struct error *error)
{
    uint64_t bits = 0;
    if (read_integer(json, range_of(PROTOBUF_C_TYPE_INT32), path, &bits, NULL) == STATUS_OK) {
        *out = (int32_t)(uint32_t)bits;
        return STATUS_OK;
    }
    const char *name = json_string_value(json);
    if (name != NULL && strlen(name) == json_string_length(json)) {
        const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value_by_name(descriptor, name);
        if (value != NULL) {
            *out = value->value;
            return STATUS_OK;
        }
    }
    return protojson_refuse(error, STATUS_INVALID_ARGUMENT, path, "must be a name or number of %s",
                            descriptor->name);
}

/*
 * Reads a number from a string: NaN, an infinity, or a number in JSON's own grammar, which jansson reads
 * independently of the locale.
 */
static bool double_from_text(const char *text, size_t length, double *out)
{
    static const struct {
        const char *name;
        double value;
    } named[] = {{"NaN", NAN}, {"Infinity", INFINITY}, {"-Infinity", -INFINITY}};
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        if (length == strlen(named[i].name) && memcmp(text, named[i].name, length) == 0) {
            *out = named[i].value;
            return true;
        }
    }
    /* Refuse everything that jansson would ignore around a number: white space, and a NUL after it. */
    if (length == 0 || isspace((unsigned char)text[0]) || !isdigit((unsigned char)text[length - 1]))
        return false;
    json_t *number = json_loadb(text, length, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);
    bool found = json_is_real(number);
    if (found)
        *out = json_real_value(number);
    json_decref(number);
    return found;
}

static enum status read_double(const json_t *json, double max, const struct protojson_path *path, double *out,
                               struct error *error)
{
    double value = 0;
    bool found = json_is_number(json);
    if (found)
        value = json_number_value(json);
    else if (json_is_string(json))
        found = double_from_text(json_string_value(json), json_string_length(json), &value);
    if (!found || (isfinite(value) && fabs(value) > max)) {
        return protojson_refuse(error, STATUS_INVALID_ARGUMENT, path,
                                "must be a number from %g to %g, or \"NaN\", \"Infinity\", \"-Infinity\"",
                                -max, max);
    }
    *out = value;
    return STATUS_OK;
}

static enum status read_text(const json_t *json, const struct protojson_path *path, struct arena *arena,
                             char **out, struct error *error)
{
    if (!json_is_string(json))
        return protojson_refuse(error, STATUS_INVALID_ARGUMENT, path, "must be a string");
    const char *text = json_string_value(json);
    size_t length = json_string_length(json);
    if (memchr(text, '\0', length) != NULL)
        return protojson_refuse(error, STATUS_INVALID_ARGUMENT, path, "must not contain NUL");
    if (!text_is_utf8(text, length))
        return protojson_refuse(error, STATUS_INVALID_ARGUMENT, path, "must be valid UTF-8");
    char *copy = arena_strdup(arena, text);
    if (copy == NULL)
        return error_no_memory(error);
    *out = copy;
    return STATUS_OK;
}

static enum status read_bytes(const json_t *json, const struct protojson_path *path, struct arena *arena,
                              ProtobufCBinaryData *out, struct error *error)
{
    ProtobufCBinaryData bytes = {.len = 0};
    size_t length = json_string_length(json);
    if (length > 0) {
        bytes.data = arena_alloc(arena, length / 4 * 3 + 3);
        if (bytes.data == NULL)
            return error_no_memory(error);
    }
    if (!json_is_string(json) ||
        !protojson_base64_decode(json_string_value(json), length, bytes.data, &bytes.len))
        return protojson_refuse(error, STATUS_INVALID_ARGUMENT, path, "must be base64");
    *out = bytes;
    return STATUS_OK;
}

static enum status read_bool(const json_t *json, const struct protojson_path *path, protobuf_c_boolean *out,
                             struct error *error)
{
    if (!json_is_boolean(json))
        return protojson_refuse(error, STATUS_INVALID_ARGUMENT, path, "must be true or false");
    *out = json_is_true(json);
    return STATUS_OK;
}

static enum status read_float(const json_t *json, const struct protojson_path *path, float *out,
                              struct error *error)
{
    double value = 0;
    TRY(read_double(json, (double)FLT_MAX, path, &value, error));
    *out = (float)value;
    return STATUS_OK;
}

enum status protojson_scalar_read(const ProtobufCFieldDescriptor *field, const json_t *json,
                                  const struct protojson_path *path, struct arena *arena, void *slot,
                                  struct error *error)
{
    uint64_t bits = 0;
    enum status status = STATUS_OK;
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        return read_text(json, path, arena, slot, error);
    case PROTOBUF_C_TYPE_BYTES:
        return read_bytes(json, path, arena, slot, error);
    case PROTOBUF_C_TYPE_BOOL:
        return read_bool(json, path, slot, error);
    case PROTOBUF_C_TYPE_ENUM:
        return read_enum(json, field->descriptor, path, slot, error);
    case PROTOBUF_C_TYPE_FLOAT:
        return read_float(json, path, slot, error);
    case PROTOBUF_C_TYPE_DOUBLE:
        return read_double(json, DBL_MAX, path, slot, error);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return read_integer(json, range_of(field->type), path, slot, error);
    default:
        status = read_integer(json, range_of(field->type), path, &bits, error);
        if (status == STATUS_OK)
            *(uint32_t *)slot = (uint32_t)bits;
        return status;
    }
}
