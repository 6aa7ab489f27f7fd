#include "base/unicode.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/text.h"
#include "base/utf8.h"

/*
 * A character decomposes into at most DECOMPOSED_MAX characters, so a text of more than DECOMPOSED_MAX * max
 * characters is too long in any form. No script needs more than COMBINING_MAX combining characters in a row
 * (UAX 15, stream-safe text), and sorting them takes quadratic time. Both limits are checked before the text
 * is normalised.
 */
enum { DECOMPOSED_MAX = 4, COMBINING_MAX = 30 };

static bool is_between(uint32_t code_point, uint32_t first, uint32_t last)
{
    return code_point >= first && code_point <= last;
}

/* Returns whether the character has the property White_Space and is not a control character. */
static bool is_space(uint32_t code_point)
{
    switch (utf8proc_category((utf8proc_int32_t)code_point)) {
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return true;
    default:
        return false;
    }
}

/* Returns whether the character has the property Bidi_Control. */
static bool is_bidi_control(uint32_t code_point)
{
    return code_point == 0x61cu || is_between(code_point, 0x200eu, 0x200fu) ||
           is_between(code_point, 0x202au, 0x202eu) || is_between(code_point, 0x2066u, 0x2069u);
}

/*
 * Returns whether the character has the property Default_Ignorable_Code_Point. utf8proc does not know the
 * unassigned code points that have it.
 */
static bool is_ignorable(uint32_t code_point)
{
    return utf8proc_get_property((utf8proc_int32_t)code_point)->ignorable || code_point == 0x2065u ||
           is_between(code_point, 0xfff0u, 0xfff8u) || is_between(code_point, 0xe0000u, 0xe0fffu);
}

/*
 * Returns whether the character is visible. White space, ignorable characters, control and format characters,
 * and the blank Braille pattern are not.
 */
static bool is_visible(uint32_t code_point)
{
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)code_point);
    return !is_space(code_point) && !is_ignorable(code_point) && category != UTF8PROC_CATEGORY_CC &&
           category != UTF8PROC_CATEGORY_CF && code_point != 0x2800u;
}

/*
 * Returns whether the character is not white space and composes only with characters that are not plain.
 * True, for example, for most Latin letters, Han characters and Hangul syllables.
 */
static bool is_plain(uint32_t code_point)
{
    return is_between(code_point, 0x21u, 0x9fu) || is_between(code_point, 0xa1u, 0x2ffu) ||
           is_between(code_point, 0x4e00u, 0x9fffu) || is_between(code_point, 0xac00u, 0xd7a3u);
}

/*
 * Returns whether `text` is obviously tidy, as most texts are. This is a fast path. It also returns false for
 * tidy texts that only normalisation can recognise.
 */
static bool is_plainly_tidy(const char *text)
{
    size_t size = strlen(text), position = 0;
    bool after_space = true;
    while (position < size) {
        uint32_t code_point = 0;
        position += utf8_decode(text + position, size - position, &code_point);
        bool space = code_point == ' ';
        if (space ? after_space : !is_plain(code_point))
            return false;
        after_space = space;
    }
    return size == 0 || !after_space;
}

static bool has_too_many_combining(const char *text)
{
    size_t size = strlen(text), position = 0, in_a_row = 0;
    while (position < size && in_a_row <= COMBINING_MAX) {
        uint32_t code_point = 0;
        position += utf8_decode(text + position, size - position, &code_point);
        bool combining = utf8proc_get_property((utf8proc_int32_t)code_point)->combining_class != 0;
        in_a_row = combining ? in_a_row + 1 : 0;
    }
    return in_a_row > COMBINING_MAX;
}

/* Trims white space and replaces each inner run of it with one space, in place. */
static void fold_spaces(char *text)
{
    size_t size = strlen(text), position = 0;
    char *end = text;
    bool pending = false;
    while (position < size) {
        uint32_t code_point = 0;
        size_t length = utf8_decode(text + position, size - position, &code_point);
        bool space = is_space(code_point);
        if (!space) {
            if (pending && end > text)
                *end++ = ' ';
            memmove(end, text + position, length);
            end += length;
        }
        pending = space;
        position += length;
    }
    *end = '\0';
}

/*
 * Copies `made`, which utf8proc has allocated, to the arena and frees it. Returns NULL if `made` is NULL or
 * memory runs out.
 */
static char *take(utf8proc_uint8_t *made, struct arena *arena)
{
    char *copy = made != NULL ? arena_strdup(arena, (const char *)made) : NULL;
    free(made);
    return copy;
}

const char *unicode_tidy(const char *text, struct arena *arena)
{
    if (is_plainly_tidy(text))
        return text;
    char *made = take(utf8proc_NFC((const utf8proc_uint8_t *)text), arena);
    if (made == NULL)
        return NULL;
    fold_spaces(made);
    return strcmp(made, text) == 0 ? text : made;
}

const char *unicode_decompose(const char *text, struct arena *arena)
{
    const char *made = take(utf8proc_NFD((const utf8proc_uint8_t *)text), arena);
    return made != NULL && strcmp(made, text) == 0 ? text : made;
}

enum status unicode_read(const char *field, const char *text, size_t min, size_t max, struct arena *arena,
                         const char **out, struct error *error)
{
    TRY(text_check(field, text, 0, SIZE_MAX, error));
    const char *tidy = text;
    if (!is_plainly_tidy(text) && text_length(text) <= DECOMPOSED_MAX * max) {
        if (has_too_many_combining(text)) {
            return error_invalid(error, "%s: must not have more than %d combining characters in a row", field,
                                 COMBINING_MAX);
        }
        tidy = unicode_tidy(text, arena);
        if (tidy == NULL)
            return error_no_memory(error);
    }
    TRY(text_check(field, tidy, min, max, error));
    *out = tidy;
    return STATUS_OK;
}

enum status unicode_check_shown(const char *field, const char *text, struct error *error)
{
    if (utf8_has(text, strlen(text), is_bidi_control))
        return error_invalid(error, "%s: must not contain bidirectional control characters", field);
    if (text[0] != '\0' && !utf8_has(text, strlen(text), is_visible))
        return error_invalid(error, "%s: must have a visible character", field);
    return STATUS_OK;
}

enum status unicode_check_id(const char *field, const char *text, size_t min, size_t max, struct error *error)
{
    enum status status = text_check_opaque(field, text, min, max, error);
    if (status == STATUS_OK && utf8_has(text, strlen(text), is_ignorable))
        return error_invalid(error, "%s: must not contain invisible characters", field);
    return status;
}
