/* Decodes UTF-8, for use within lib/base. Pure; any thread. */
#ifndef SCREENING_BASE_UTF8_H
#define SCREENING_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UTF8_CHARACTER_MAX_BYTES = 4 };

/*
 * Decodes the character at `bytes`, reading at most `size` bytes. Returns its length, 1 to 4. Returns 0 if
 * there is no valid character: `size` is 0, or the character is truncated, overlong, a surrogate or beyond
 * U+10FFFF.
 */
size_t utf8_decode(const char *bytes, size_t size, uint32_t *code_point);

/* Returns the largest length up to `size` that does not split a character. The text must be valid. */
size_t utf8_whole(const char *bytes, size_t size);

/* Returns whether the text, which is valid UTF-8, contains a character of the given kind. */
bool utf8_has(const char *text, size_t size, bool (*is_of_kind)(uint32_t code_point));

#endif
