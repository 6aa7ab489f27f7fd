/*
 * Defines the canonical form of human-readable text, and the characters that ids must not contain. Pure; any
 * thread.
 *
 * Texts that look the same should be equal, so they are stored and compared in tidy form: normalised (NFC),
 * with no white space at either end, and with a single space for each inner run of white space.
 */
#ifndef SCREENING_BASE_UNICODE_H
#define SCREENING_BASE_UNICODE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/status.h"

/*
 * Makes `text` tidy, as described above. Sets *out to `text` itself if it is already tidy, otherwise to a
 * copy in `arena`. Returns INVALID_ARGUMENT "FIELD: RULE" unless `text` is valid UTF-8 without control
 * characters (U+0000 to U+001F, U+007F to U+009F), has `min` to `max` characters once tidy, and has no more
 * than 30 combining characters in a row. Returns RESOURCE_EXHAUSTED when out of memory.
 */
MUST_CHECK enum status unicode_read(const char *field, const char *text, size_t min, size_t max,
                                    struct arena *arena, const char **out, struct error *error);

/*
 * Checks that people can read `text`, which must be valid UTF-8. Returns INVALID_ARGUMENT "FIELD: RULE" if it
 * contains a bidirectional control character (property Bidi_Control), which could disguise a name as another
 * one. Also rejects a `text` that is not empty but has no visible character. Allows joiners (U+200C, U+200D),
 * which some scripts need.
 */
MUST_CHECK enum status unicode_check_shown(const char *field, const char *text, struct error *error);

/*
 * Like text_check_opaque, but also rejects invisible characters (property Default_Ignorable_Code_Point, which
 * includes the bidirectional controls and the joiners), so that ids that look the same are the same. Use it
 * for new ids.
 */
MUST_CHECK enum status unicode_check_id(const char *field, const char *text, size_t min, size_t max,
                                        struct error *error);

/*
 * Makes `text` tidy like unicode_read, but without its checks. `text` must be valid UTF-8 of at most a few
 * hundred characters. Returns NULL when out of memory.
 */
const char *unicode_tidy(const char *text, struct arena *arena);

/*
 * Decomposes `text` (NFD), which must be valid UTF-8 of at most a few hundred characters. Returns a copy in
 * `arena`, or `text` itself if nothing in it decomposes. Returns NULL when out of memory.
 */
const char *unicode_decompose(const char *text, struct arena *arena);

#endif
