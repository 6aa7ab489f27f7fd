#include "base/text.h"

#include <string.h>

#include "base/civil.h"
#include "base/utf8.h"

/* Returns whether the eight bytes at `bytes` are ASCII characters other than NUL. */
static bool is_ascii_word(const char *bytes)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    /*
     * Subtracting 1 sets the top bit of an ASCII byte only if that byte is 0 or a lower byte that is 0
     * borrows from it.
     */
    return (word & tops) == 0 && ((word - ones) & tops) == 0;
}

bool text_is_utf8(const char *bytes, size_t size)
{
    size_t position = 0;
    while (position < size) {
        if (size - position >= sizeof(uint64_t) && is_ascii_word(bytes + position)) {
            position += sizeof(uint64_t);
            continue;
        }
        uint32_t code_point = 0;
        size_t length = utf8_decode(bytes + position, size - position, &code_point);
        if (length == 0 || code_point == 0)
            return false;
        position += length;
    }
    return true;
}

void text_make_utf8(char *text)
{
    size_t size = strlen(text), position = 0;
    while (position < size) {
        uint32_t code_point = 0;
        size_t length = utf8_decode(text + position, size - position, &code_point);
        if (length == 0)
            text[position++] = '?';
        position += length;
    }
}

size_t text_length(const char *text)
{
    size_t characters = 0;
    for (; *text != '\0'; text++)
        if (((unsigned char)*text & 0xc0u) != 0x80u)
            characters++;
    return characters;
}

static bool is_control(uint32_t code_point)
{
    return code_point < 0x20u || (code_point >= 0x7fu && code_point <= 0x9fu);
}

/*
 * Returns whether the character is one of the two zero-width spaces, or has the property White_Space and is
 * not a control character.
 */
static bool is_space(uint32_t code_point)
{
    switch (code_point) {
    case 0x20u:
    case 0xa0u:
    case 0x1680u:
    case 0x2028u:
    case 0x2029u:
    case 0x202fu:
    case 0x205fu:
    case 0x3000u:
    case 0xfeffu:
        return true;
    default:
        return code_point >= 0x2000u && code_point <= 0x200bu;
    }
}

/* Returns whether `text` is printable ASCII. This is the fast path for most texts. */
static bool is_printable_ascii(const char *text, size_t size)
{
    size_t position = 0;
    while (position < size && text[position] >= ' ' && text[position] <= '~')
        position++;
    return position == size;
}

enum status text_check(const char *field, const char *text, size_t min, size_t max, struct error *error)
{
    size_t size = strlen(text);
    bool plain = is_printable_ascii(text, size);
    if (!plain && !text_is_utf8(text, size))
        return error_invalid(error, "%s: must be valid UTF-8", field);
    size_t length = plain ? size : text_length(text);
    if (length < min || length > max)
        return error_invalid(error, "%s: must have %zu to %zu characters", field, min, max);
    if (!plain && utf8_has(text, size, is_control))
        return error_invalid(error, "%s: must not contain control characters", field);
    return STATUS_OK;
}

enum status text_check_opaque(const char *field, const char *text, size_t min, size_t max,
                              struct error *error)
{
    enum status status = text_check(field, text, min, max, error);
    if (status == STATUS_OK && utf8_has(text, strlen(text), is_space))
        return error_invalid(error, "%s: must not contain spaces", field);
    return status;
}

enum status text_check_uuid(const char *field, const char *text, struct uuid *out, struct error *error)
{
    struct uuid read;
    if (!uuid_parse(text, &read))
        return error_invalid(error, "%s: must be a UUID", field);
    if (uuid_is_zero(&read))
        return error_invalid(error, "%s: must be a UUID other than nil", field);
    *out = read;
    return STATUS_OK;
}

enum status text_check_date(const char *field, const char *text, int32_t *day, struct error *error)
{
    if (!civil_parse(text, day))
        return error_invalid(error, "%s: must be an existing date, YYYY-MM-DD", field);
    return STATUS_OK;
}
