/* Validates and repairs text from outside the process. Pure; any thread. */
#ifndef SCREENING_BASE_TEXT_H
#define SCREENING_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/uuid.h"

/* Returns whether the `size` bytes are valid UTF-8 (no surrogates, no overlong forms) without a NUL. */
bool text_is_utf8(const char *bytes, size_t size);

/* Replaces each byte that is not part of valid UTF-8 with "?". */
void text_make_utf8(char *text);

/* Returns the number of characters (code points) in valid UTF-8. */
size_t text_length(const char *text);

/*
 * Returns INVALID_ARGUMENT "FIELD: RULE" unless `text` is valid UTF-8 of `min` to `max` characters without
 * control characters (U+0000 to U+001F, U+007F to U+009F).
 */
MUST_CHECK enum status text_check(const char *field, const char *text, size_t min, size_t max,
                                  struct error *error);

/* Like text_check, but also rejects spaces of any kind. Use it for opaque identifiers. */
MUST_CHECK enum status text_check_opaque(const char *field, const char *text, size_t min, size_t max,
                                         struct error *error);

/*
 * Parses `text`. Returns INVALID_ARGUMENT "FIELD: must be a UUID" unless uuid_parse accepts it. Also rejects
 * the nil UUID, which marks the start of a list.
 */
MUST_CHECK enum status text_check_uuid(const char *field, const char *text, struct uuid *out,
                                       struct error *error);

/*
 * Parses `text`. Returns INVALID_ARGUMENT "FIELD: must be an existing date, YYYY-MM-DD" unless civil_parse
 * accepts it.
 */
MUST_CHECK enum status text_check_date(const char *field, const char *text, int32_t *day,
                                       struct error *error);

#endif
