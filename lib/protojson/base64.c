#include "protojson/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";

enum { PADDING = 64 }; /* the index of '=' in the alphabet */

size_t protojson_base64_length(size_t size_bytes)
{
    return (size_bytes + 2) / 3 * 4;
}

void protojson_base64_encode(const uint8_t *bytes, size_t size_bytes, char *out)
{
    for (size_t i = 0; i < size_bytes; i += 3) {
        size_t left = size_bytes - i;
        uint32_t group = (uint32_t)bytes[i] << 16;
        group |= left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
        group |= left > 2 ? bytes[i + 2] : 0;
        *out++ = alphabet[group >> 18];
        *out++ = alphabet[group >> 12 & 63];
        *out++ = alphabet[left > 1 ? group >> 6 & 63 : PADDING];
        *out++ = alphabet[left > 2 ? group & 63 : PADDING];
    }
}

/* Returns the six bits of a character in either alphabet, or -1 for any other character. */
static int sextet(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

/* Subtracts the padding from *length. Returns false if the padding or the remaining length is invalid. */
static bool strip_padding(const char *text, size_t *length)
{
    size_t padding = 0;
    while (padding < 2 && padding < *length && text[*length - 1 - padding] == '=')
        padding++;
    if (padding > 0 && *length % 4 != 0)
        return false;
    *length -= padding;
    return *length % 4 != 1;
}

bool protojson_base64_decode(const char *text, size_t length, uint8_t *out, size_t *size_bytes)
{
    if (!strip_padding(text, &length))
        return false;
    uint32_t bits = 0;
    unsigned bit_count = 0;
    size_t written = 0;
    for (size_t i = 0; i < length; i++) {
        int value = sextet(text[i]);
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            out[written++] = (uint8_t)(bits >> bit_count);
            bits &= (1U << bit_count) - 1;
        }
    }
    if (bits != 0)
        return false;
    *size_bytes = written;
    return true;
}
