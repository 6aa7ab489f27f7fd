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

struct table {
    struct arena *arena;
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

/* Terminal columns that `text` takes. */
size_t text_columns(const char *text);

#endif
