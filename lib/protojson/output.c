#include "protojson/output.h"

#include <string.h>

#include "protojson/path.h"

enum { FIRST_SIZE = 1024 }; /* most messages are smaller */

char *output_extend(struct output *output, size_t size)
{
    if (size > output->capacity - output->size) {
        size_t capacity = output->capacity == 0 ? FIRST_SIZE : output->capacity;
        while (size > capacity - output->size)
            capacity *= 2;
        char *text = arena_alloc(output->arena, capacity);
        if (text == NULL)
            return NULL;
        if (output->size > 0)
            memcpy(text, output->text, output->size);
        output->text = text;
        output->capacity = capacity;
    }
    output->size += size;
    return output->text + output->size - size;
}

enum status output_put(struct output *output, const char *bytes, size_t size)
{
    char *room = output_extend(output, size);
    if (room == NULL)
        return error_no_memory(output->error);
    memcpy(room, bytes, size);
    return STATUS_OK;
}

enum status output_text(struct output *output, const char *text)
{
    return output_put(output, text, strlen(text));
}

enum status output_quoted(struct output *output, const char *text, size_t size)
{
    char *room = output_extend(output, size + 2);
    if (room == NULL)
        return error_no_memory(output->error);
    room[0] = '"';
    memcpy(room + 1, text, size);
    room[size + 1] = '"';
    return STATUS_OK;
}

/* Returns the escape sequence for a character in a JSON string, or NULL if it needs none. */
static const char *escape_of(unsigned char c, char unicode[7])
{
    static const char DIGITS[] = "0123456789ABCDEF";
    switch (c) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\b':
        return "\\b";
    case '\f':
        return "\\f";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        break;
    }
    if (c >= ' ')
        return NULL;
    memcpy(unicode, "\\u00", strlen("\\u00"));
    unicode[4] = DIGITS[c >> 4];
    unicode[5] = DIGITS[c & 0xF];
    unicode[6] = '\0';
    return unicode;
}

enum status output_escaped(struct output *output, const char *text, size_t size)
{
    size_t from = 0;
    enum status status = output_put(output, "\"", 1);
    for (size_t i = 0; status == STATUS_OK && i < size; i++) {
        char unicode[7];
        const char *escape = escape_of((unsigned char)text[i], unicode);
        if (escape == NULL)
            continue;
        status = output_put(output, text + from, i - from);
        if (status == STATUS_OK)
            status = output_text(output, escape);
        from = i + 1;
    }
    if (status == STATUS_OK)
        status = output_put(output, text + from, size - from);
    return status == STATUS_OK ? output_put(output, "\"", 1) : status;
}

static enum status put_integer(struct output *output, bool negative, uint64_t magnitude, bool quoted)
{
    char digits[24];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + magnitude % 10);
        magnitude /= 10;
    } while (magnitude > 0);
    if (negative)
        digits[--at] = '-';
    size_t size = sizeof digits - at;
    return quoted ? output_quoted(output, digits + at, size) : output_put(output, digits + at, size);
}

enum status output_signed(struct output *output, int64_t value, bool quoted)
{
    return put_integer(output, value < 0, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, quoted);
}

enum status output_unsigned(struct output *output, uint64_t value, bool quoted)
{
    return put_integer(output, false, value, quoted);
}
