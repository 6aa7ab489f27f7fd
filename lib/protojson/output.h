/*
 * Builds JSON text that grows in an arena. When memory runs out, output_extend returns NULL and the other
 * functions return RESOURCE_EXHAUSTED.
 */
#ifndef SCREENING_PROTOJSON_OUTPUT_H
#define SCREENING_PROTOJSON_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

/* The caller sets `arena` and `error` and zeroes the other members. */
struct output {
    struct arena *arena;
    struct error *error;
    char *text; /* may move when it grows; has no NUL */
    size_t size, capacity;
};

/* Appends `size_bytes` uninitialised bytes. Returns a pointer to them, or NULL when out of memory. */
char *output_extend(struct output *output, size_t size_bytes);

MUST_CHECK enum status output_put(struct output *output, const char *bytes, size_t size_bytes);
MUST_CHECK enum status output_text(struct output *output, const char *text);

/*
 * Append text in quotes. output_quoted is for text that needs no escapes, output_escaped for any UTF-8 text.
 */
MUST_CHECK enum status output_quoted(struct output *output, const char *text, size_t size_bytes);
MUST_CHECK enum status output_escaped(struct output *output, const char *text, size_t size_bytes);

/* Append a number, optionally in quotes. */
MUST_CHECK enum status output_signed(struct output *output, int64_t value, bool quoted);
MUST_CHECK enum status output_unsigned(struct output *output, uint64_t value, bool quoted);

#endif
