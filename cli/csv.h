/*
 * Reads RFC 4180 records from text in memory. Quoted fields may contain commas, line breaks and doubled
 * quotes. Lines end with CRLF or LF. Skips a leading UTF-8 byte order mark and empty lines. Pure.
 */
#ifndef SCREENING_CLI_CSV_H
#define SCREENING_CLI_CSV_H

#include <stddef.h>

#include "base/arena.h"
#include "base/status.h"

enum { CSV_FIELDS_MAX = 16 };

struct csv_reader {
    const char *at;
    const char *end;
    size_t line; /* number of the line at `at`, from 1 */
};

struct csv_record {
    size_t line;                        /* number of the record's first line */
    const char *fields[CSV_FIELDS_MAX]; /* the texts are in the arena */
    size_t count;
};

enum csv_result {
    CSV_RECORD,
    CSV_END,
    CSV_BAD /* a bad record: see `error` and record->line; the next call continues after that line */
};

/* Starts reading `bytes`, which must outlive the reader. */
void csv_init(struct csv_reader *reader, const char *bytes, size_t size);

/*
 * Returns INVALID_ARGUMENT "encoding: ..." for text that a spreadsheet saved as UTF-16, or as CP949, which
 * Excel in Korea uses for "CSV". Does not report a stray byte in UTF-8 text, which is reported when its field
 * is checked.
 */
MUST_CHECK enum status csv_check_encoding(const char *bytes, size_t size, struct error *error);

enum csv_result csv_next(struct csv_reader *reader, struct arena *arena, struct csv_record *record,
                         struct error *error);

#endif
