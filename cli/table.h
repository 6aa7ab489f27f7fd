/* Prints text in columns, aligned by display width. Korean characters are two columns wide. */
#ifndef SCREENING_CLI_TABLE_H
#define SCREENING_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"

enum { TABLE_COLUMNS_MAX = 10 };

struct table_column {
    const char *heading; /* NULL in every column = no heading line */
    bool right;          /* right-aligned, for numbers */
};

/* Sets of columns. Bit N is column N. */
struct table_layout {
    unsigned hidden;    /* fixed by the request, or equal in all rows; shown only in CSV */
    unsigned if_filled; /* hidden if every cell is empty */
    unsigned ids;       /* UUIDs; shortened to the shortest distinct prefixes if there is too little space */
    unsigned optional;  /* dropped if the table is still too wide, the last one first */
    unsigned flexible;  /* truncated with an ellipsis as a last resort, the widest one first */
};

#define TABLE_COLUMN(number) (1U << (number))

struct table {
    struct arena *arena;
    struct table_layout layout; /* set it after table_init; all zero shows everything */
    size_t width_max;           /* width in terminal columns; 0 = no limit */
    const struct table_column *columns;
    size_t column_count;
    const char **cells;
    size_t cell_count;
    size_t cell_room;
    bool out_of_memory;
};

/* Activates the locale that display widths need. Call it once in main. */
void table_use_locale(void);

/*
 * Starts an empty table, which is filled cell by cell, row by row. `columns` and `arena` must outlive the
 * table. `arena` holds copies of the texts.
 */
void table_init(struct table *table, struct arena *arena, const struct table_column *columns,
                size_t column_count);

/*
 * Fills the next cell with a copy of `text`. Characters that a terminal would not print as such become '?'.
 */
void table_text(struct table *table, const char *text);
void table_number(struct table *table, uint64_t number);

/*
 * Writes the table, or only the heading if there are no rows. Returns false, without writing, if memory ran
 * out while the table was being filled.
 */
bool table_print(const struct table *table, FILE *file);

/*
 * Writes every column, even hidden ones, as RFC 4180 with a byte order mark, by which Excel recognizes UTF-8.
 * Puts an apostrophe before text that looks like a formula. Returns false like table_print.
 */
bool table_print_csv(const struct table *table, FILE *file);

size_t table_row_count(const struct table *table);

/*
 * Returns the length in bytes of the character at `text`, or 1 if it is invalid. Sets *columns to its width,
 * or to -1 if it is not printable.
 */
size_t text_character(const char *text, int *columns);

/* Returns the display width of `text` in columns. An unprintable character counts as one column. */
size_t text_columns(const char *text);

#endif
