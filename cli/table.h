/* Text in columns, aligned by what a terminal shows: Korean characters are two columns wide. */
#ifndef SCREENING_CLI_TABLE_H
#define SCREENING_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"

enum { TABLE_COLUMNS_MAX = 10 };

struct table_column {
    const char *heading; /* NULL in every column: no heading line */
    bool right;          /* aligned to the right, for numbers */
};

/* Sets of columns: bit N is column N. */
struct table_layout {
    unsigned hidden;    /* the reader asked for it, or it is the same everywhere: in CSV only */
    unsigned if_filled; /* hidden while every cell is empty */
    unsigned ids;       /* UUIDs: cut to their shortest different beginnings where room is short */
    unsigned optional;  /* left out after that, the last one first */
    unsigned flexible;  /* cut in the end, marked by an ellipsis, the widest one first */
};

#define TABLE_COLUMN(number) (1U << (number))

struct table {
    struct arena *arena;
    struct table_layout layout; /* to be set after table_init; all zero: everything is shown */
    size_t width_max;           /* terminal columns; 0 = no limit */
    const struct table_column *columns;
    size_t column_count;
    const char **cells;
    size_t cell_count;
    size_t cell_room;
    bool out_of_memory;
};

/* Puts the locale that widths need in force; call once in main. */
void table_use_locale(void);

/* An empty table, filled cell by cell, row by row. `columns` must outlive it; its texts live in `arena`. */
void table_init(struct table *table, struct arena *arena, const struct table_column *columns,
                size_t column_count);

/* Copies `text`. What a terminal would not print as itself is shown as '?'. */
void table_text(struct table *table, const char *text);
void table_number(struct table *table, uint64_t number);

/* Writes the table; without rows its heading only. False when memory ran out on the way: nothing is written.
 */
bool table_print(const struct table *table, FILE *file);

/*
 * Writes every column, hidden ones too, as RFC 4180 with a byte order mark, by which Excel knows UTF-8. A
 * text that a spreadsheet would take for a formula gets an apostrophe. False as table_print.
 */
bool table_print_csv(const struct table *table, FILE *file);

size_t table_row_count(const struct table *table);

/* The character at `text`: its bytes and its columns; -1 columns where a terminal would not show it as
 * itself. */
size_t text_character(const char *text, int *columns);

/* Terminal columns that `text` takes. */
size_t text_columns(const char *text);

#endif
