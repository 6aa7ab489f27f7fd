/* UTF-8, for lib/base itself. Pure; any thread. */
#ifndef SCREENING_BASE_UTF8_H
#define SCREENING_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

enum { UTF8_CHARACTER_MAX_BYTES = 4 };

/*
 * Reads the character that starts at `bytes`, of which at most `size` may be read. Returns the bytes it
 * takes, 1 to 4, or 0 if there is none: empty, cut short, overlong, a surrogate, beyond U+10FFFF.
 */
size_t utf8_decode(const char *bytes, size_t size, uint32_t *code_point);

/* The largest length, at most `size`, that does not end inside a character, if the text is valid beyond
 * `size`. */
size_t utf8_whole(const char *bytes, size_t size);

#endif
