/*
 * The form in which texts for people are kept and compared, and what ids must not hold. Pure; any thread.
 *
 * Texts that look the same are the same: they are normalised (NFC), white space at either end is removed, and
 * each run of white space within is one space.
 */
#ifndef SCREENING_BASE_UNICODE_H
#define SCREENING_BASE_UNICODE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/status.h"

/*
 * Makes `text` tidy, as above: *out is `text` itself if it is tidy already, else a copy in `arena`.
 * INVALID_ARGUMENT "FIELD: RULE" unless `text` is valid UTF-8 without control characters (U+0000 to U+001F,
 * U+007F to U+009F), has `min` to `max` characters when it is tidy, and has no more than 30 combining
 * characters in a row; RESOURCE_EXHAUSTED when out of memory.
 */
MUST_CHECK enum status unicode_read(const char *field, const char *text, size_t min, size_t max,
                                    struct arena *arena, const char **out, struct error *error);

/*
 * INVALID_ARGUMENT "FIELD: RULE" if `text`, valid UTF-8, has a bidirectional control character (property
 * Bidi_Control), with which a name can be made to look like another; or if it is not empty and nothing in it
 * is visible. Joiners (U+200C, U+200D), which some scripts need, may stand in it.
 */
MUST_CHECK enum status unicode_check_shown(const char *field, const char *text, struct error *error);

/*
 * As text_check_opaque, and no character may be invisible (property Default_Ignorable_Code_Point, which has
 * the bidirectional controls and the joiners): two ids that look the same are the same. For ids that are
 * taken into use.
 */
MUST_CHECK enum status unicode_check_id(const char *field, const char *text, size_t min, size_t max,
                                        struct error *error);

/* Valid UTF-8 as unicode_read makes it, without its rules: at most a few hundred characters. NULL when out of
 * memory. */
const char *unicode_tidy(const char *text, struct arena *arena);

/* Valid UTF-8, decomposed (NFD), at most a few hundred characters: in `arena`, or `text` itself if nothing in
 * it can be decomposed. NULL when out of memory. */
const char *unicode_decompose(const char *text, struct arena *arena);

#endif
