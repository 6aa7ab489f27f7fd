#include "csv.h"

#include "message.h"

#include <stdbool.h>
#include <string.h>

#include "base/text.h"

static const char BYTE_ORDER_MARK[] = "\xef\xbb\xbf";

void csv_init(struct csv_reader *reader, const char *bytes, size_t size)
{
    *reader = (struct csv_reader){.at = bytes, .end = bytes + size, .line = 1};
    size_t mark_size = sizeof BYTE_ORDER_MARK - 1;
    if (size >= mark_size && memcmp(bytes, BYTE_ORDER_MARK, mark_size) == 0)
        reader->at += mark_size;
}

static bool at_end(const struct csv_reader *reader)
{
    return reader->at == reader->end;
}

/* Returns whether the line ends here, that is, at LF, at CRLF or at the end of the text. */
static bool at_line_end(const struct csv_reader *reader)
{
    return at_end(reader) || *reader->at == '\n' ||
           (*reader->at == '\r' && reader->at + 1 < reader->end && reader->at[1] == '\n');
}

static void skip_line_end(struct csv_reader *reader)
{
    if (at_end(reader))
        return;
    reader->at += *reader->at == '\r' ? 2 : 1;
    reader->line++;
}

static void skip_line(struct csv_reader *reader)
{
    while (!at_line_end(reader))
        reader->at++;
    skip_line_end(reader);
}

static enum status refuse_nul(struct error *error)
{
    return error_invalid(error, _("record: must not contain NUL"));
}

/* Reads a quoted field into `out`, whose size comes from field_room. take_plain reads any other field. */
static enum status take_quoted(struct csv_reader *reader, char *out, struct error *error)
{
    for (reader->at++; !at_end(reader); reader->at++) {
        if (*reader->at == '"') {
            reader->at++;
            if (at_end(reader) || *reader->at != '"') {
                if (at_line_end(reader) || *reader->at == ',')
                    return STATUS_OK;
                return error_invalid(
                    error, _("quotes: a closing quote must be followed by a comma or the line's end"));
            }
        }
        if (*reader->at == '\0')
            return refuse_nul(error);
        reader->line += *reader->at == '\n' ? 1 : 0;
        *out++ = *reader->at;
    }
    return error_invalid(error, _("quotes: must be closed"));
}

static enum status take_plain(struct csv_reader *reader, char *out, struct error *error)
{
    for (; !at_line_end(reader) && *reader->at != ','; reader->at++) {
        if (*reader->at == '"')
            return error_invalid(
                error, _("quotes: a field that contains a quote must be quoted, and the quote doubled"));
        if (*reader->at == '\0')
            return refuse_nul(error);
        *out++ = *reader->at;
    }
    return STATUS_OK;
}

/*
 * Returns an upper bound on the size of a field, including its NUL. The field extends to a comma or the end
 * of the line or, if quoted, to the closing quote.
 */
static size_t field_room(const struct csv_reader *reader)
{
    const char *at = reader->at;
    bool quoted = at < reader->end && *at == '"';
    if (quoted)
        at++;
    while (at < reader->end &&
           (quoted ? *at != '"' || (at + 1 < reader->end && at[1] == '"') : *at != ',' && *at != '\n'))
        at += quoted && *at == '"' ? 2 : 1;
    return (size_t)(at - reader->at) + 1;
}

static enum status take_field(struct csv_reader *reader, struct arena *arena, struct csv_record *record,
                              struct error *error)
{
    if (record->count == CSV_FIELDS_MAX)
        return error_invalid(error, _("record: must have at most %d fields"), CSV_FIELDS_MAX);
    char *field = arena_alloc(arena, field_room(reader));
    if (field == NULL)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, _("record: out of memory"));
    record->fields[record->count++] = field;
    bool quoted = !at_end(reader) && *reader->at == '"';
    return quoted ? take_quoted(reader, field, error) : take_plain(reader, field, error);
}

enum csv_result csv_next(struct csv_reader *reader, struct arena *arena, struct csv_record *record,
                         struct error *error)
{
    while (!at_end(reader) && at_line_end(reader))
        skip_line_end(reader);
    record->line = reader->line;
    record->count = 0;
    if (at_end(reader))
        return CSV_END;
    const struct csv_reader start = *reader;
    for (;;) {
        if (take_field(reader, arena, record, error) != STATUS_OK)
            break;
        if (at_line_end(reader)) {
            skip_line_end(reader);
            return CSV_RECORD;
        }
        reader->at++; /* the comma */
    }
    /* An unclosed quote would extend to the end of the file, so continue after the record's first line. */
    *reader = start;
    skip_line(reader);
    return CSV_BAD;
}

/* ---- encoding ---- */

/* Returns whether two bytes form a CP949 character. */
static bool is_cp949_pair(unsigned char lead, unsigned char trail)
{
    bool letter = (trail >= 'A' && trail <= 'Z') || (trail >= 'a' && trail <= 'z');
    return lead >= 0x81 && lead <= 0xfe && (letter || (trail >= 0x81 && trail <= 0xfe));
}

/* Returns whether the bytes are a Hangul syllable in UTF-8, a sequence that is rare in CP949 text. */
static bool is_utf8_hangul(const unsigned char *at, size_t left)
{
    return left >= 3 && at[0] >= 0xea && at[0] <= 0xed && at[1] >= 0x80 && at[1] <= 0xbf && at[2] >= 0x80 &&
           at[2] <= 0xbf;
}

/* Returns whether there are non-ASCII bytes, all of them form CP949 pairs, and none are Hangul in UTF-8. */
static bool is_cp949(const char *bytes, size_t size)
{
    const unsigned char *at = (const unsigned char *)bytes;
    size_t pairs = 0;
    for (size_t i = 0; i < size; i++) {
        if (at[i] < 0x80)
            continue;
        if (is_utf8_hangul(at + i, size - i) || i + 1 == size || !is_cp949_pair(at[i], at[i + 1]))
            return false;
        pairs++;
        i++;
    }
    return pairs > 0;
}

enum status csv_check_encoding(const char *bytes, size_t size, struct error *error)
{
    bool utf16 = size >= 2 && (memcmp(bytes, "\xff\xfe", 2) == 0 || memcmp(bytes, "\xfe\xff", 2) == 0);
    if (utf16)
        return error_invalid(error, _("encoding: this is UTF-16; save the file as \"CSV UTF-8\""));
    if (!text_is_utf8(bytes, size) && is_cp949(bytes, size)) {
        return error_invalid(error,
                             _("encoding: this is CP949 (EUC-KR); save the file as \"CSV UTF-8\" in Excel"));
    }
    return STATUS_OK;
}
