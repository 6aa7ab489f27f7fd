#include "base/hex.h"

enum { DIGIT_VALUES = 256 };

/* The value of each digit plus one, or 0 for a character that is not a digit. */
static const uint8_t digits[DIGIT_VALUES] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

char *hex_write(char *out, const uint8_t *bytes, size_t size)
{
    static const char DIGITS[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        *out++ = DIGITS[bytes[i] >> 4];
        *out++ = DIGITS[bytes[i] & 0x0fu];
    }
    return out;
}

bool hex_read(const char *text, uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned high = digits[(uint8_t)text[2 * i]];
        if (high == 0)
            return false;
        unsigned low = digits[(uint8_t)text[2 * i + 1]];
        if (low == 0)
            return false;
        bytes[i] = (uint8_t)((high - 1) << 4 | (low - 1));
    }
    return true;
}
