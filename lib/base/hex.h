/* Writes and reads hexadecimal digits. Pure; any thread. */
#ifndef SCREENING_BASE_HEX_H
#define SCREENING_BASE_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes 2 * `size` lower-case digits without a NUL. Returns the end of the digits. */
char *hex_write(char *out, const uint8_t *bytes, size_t size);

/*
 * Reads 2 * `size` digits of either case. Returns false at the first character that is not a digit, including
 * NUL, and reads nothing after it.
 */
bool hex_read(const char *text, uint8_t *bytes, size_t size);

#endif
