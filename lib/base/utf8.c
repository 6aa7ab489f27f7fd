#include "base/utf8.h"

static bool is_continuation(unsigned char byte)
{
    return (byte & 0xc0u) == 0x80u;
}

/*
 * Returns the length of a character, given its lead byte, and sets *bits to the bits of the code point that
 * this byte holds. Returns 0 if the byte is not a lead byte.
 */
static size_t lead_length(unsigned char lead, uint32_t *bits)
{
    if (lead < 0x80u) {
        *bits = lead;
        return 1;
    }
    if ((lead & 0xe0u) == 0xc0u) {
        *bits = lead & 0x1fu;
        return 2;
    }
    if ((lead & 0xf0u) == 0xe0u) {
        *bits = lead & 0x0fu;
        return 3;
    }
    if ((lead & 0xf8u) == 0xf0u) {
        *bits = lead & 0x07u;
        return 4;
    }
    return 0;
}

size_t utf8_decode(const char *bytes, size_t size, uint32_t *code_point)
{
    static const uint32_t SMALLEST[UTF8_CHARACTER_MAX_BYTES + 1] = {0, 0, 0x80, 0x800, 0x10000};
    if (size == 0)
        return 0;
    uint32_t value = 0;
    size_t length = lead_length((unsigned char)bytes[0], &value);
    if (length == 0 || length > size)
        return 0;
    for (size_t i = 1; i < length; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (!is_continuation(byte))
            return 0;
        value = value << 6 | (byte & 0x3fu);
    }
    if (value < SMALLEST[length] || value > 0x10ffffu || (value >= 0xd800u && value <= 0xdfffu))
        return 0;
    *code_point = value;
    return length;
}

size_t utf8_whole(const char *bytes, size_t size)
{
    size_t lead = size;
    while (lead > 0 && size - lead < UTF8_CHARACTER_MAX_BYTES) {
        lead--;
        if (!is_continuation((unsigned char)bytes[lead])) {
            uint32_t bits = 0;
            size_t length = lead_length((unsigned char)bytes[lead], &bits);
            return length > size - lead ? lead : size;
        }
    }
    return size;
}

bool utf8_has(const char *text, size_t size, bool (*is_of_kind)(uint32_t code_point))
{
    size_t position = 0;
    while (position < size) {
        uint32_t code_point = 0;
        position += utf8_decode(text + position, size - position, &code_point);
        if (is_of_kind(code_point))
            return true;
    }
    return false;
}
