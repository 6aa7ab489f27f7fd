/* Encodes and decodes Base64 (RFC 4648) for bytes fields. Pure; any thread. */
#ifndef SCREENING_PROTOJSON_BASE64_H
#define SCREENING_PROTOJSON_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Returns the number of characters that protojson_base64_encode writes for `size_bytes` bytes, without a NUL.
 */
size_t protojson_base64_length(size_t size_bytes);

/*
 * Writes base64 in the standard alphabet, with padding and no NUL. `out` must have room for
 * protojson_base64_length(size_bytes) characters.
 */
void protojson_base64_encode(const uint8_t *bytes, size_t size_bytes, char *out);

/*
 * Reads the standard or the URL alphabet, with or without padding. `out` must hold length / 4 * 3 + 3 bytes.
 * Sets *size_bytes to the decoded size. Returns false for anything else, including leftover bits that are not
 * 0, so that no two texts with the same alphabet and padding decode to the same bytes.
 */
bool protojson_base64_decode(const char *text, size_t length, uint8_t *out, size_t *size_bytes);

#endif
