/* Base64 (RFC 4648) for bytes fields. Pure; any thread. */
#ifndef SCREENING_PROTOJSON_BASE64_H
#define SCREENING_PROTOJSON_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The characters that protojson_base64_encode writes for `size_bytes`, without a NUL. */
size_t protojson_base64_length(size_t size_bytes);

/* Writes the standard alphabet with padding, and no NUL. `out` holds protojson_base64_length(size_bytes). */
void protojson_base64_encode(const uint8_t *bytes, size_t size_bytes, char *out);

/*
 * Reads the standard or the URL alphabet, with padding or without. `out` holds length / 4 * 3 + 3 bytes, of
 * which `*size_bytes` are then the text's. False for anything else, also for leftover bits that are not 0, so
 * that no two texts of one alphabet and padding mean the same bytes.
 */
bool protojson_base64_decode(const char *text, size_t length, uint8_t *out, size_t *size_bytes);

#endif
