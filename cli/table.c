#include "table.h"

#include "message.h"

#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>
#include <string.h>
#include <wchar.h>

enum { CELLS_FIRST = 64, GAP_COLUMNS = 2 };

void table_use_locale(void)
{
    if (setlocale(LC_CTYPE, "") == NULL || strcmp(nl_langinfo(CODESET), "UTF-8") != 0) {
        setlocale(LC_CTYPE, "C.UTF-8");
    }
}

/* The character at `text`: its bytes and its columns; -1 columns where a terminal would not show it as
 * itself. */
static size_t next_character(const char *text, int *columns)
{
    wchar_t character;
    mbstate_t state = {0};
    size_t size = mbrtowc(&character, text, strlen(text), &state);
    if (size == (size_t)-1 || size == (size_t)-2 || size == 0) {
        *columns = -1;
        return 1;
    }
    *columns = wcwidth(character);
    return size;
}

size_t text_columns(const char *text)
{
    size_t columns = 0;
    while (*text != '\0') {
        int width;
        text += next_character(text, &width);
        columns += width < 0 ? 1 : (size_t)width;
    }
    return columns;
}

void table_init(struct table *table, struct arena *arena, const struct table_column *columns,
                size_t column_count)
{
    *table = (struct table){.arena = arena, .columns = columns, .column_count = column_count};
}

/* A copy with '?' for what should not reach a terminal, escape sequences above all. */
static const char *printable_copy(struct arena *arena, const char *text)
{
    char *copy = arena_alloc(arena, strlen(text) + 1);
    if (copy == NULL) {
        return NULL;
    }
    char *out = copy;
    while (*text != '\0') {
        int columns;
        size_t size = next_character(text, &columns);
        if (columns < 0) {
            *out++ = '?';
        } else {
            memcpy(out, text, size);
            out += size;
        }
        text += size;
    }
    return copy; /* arena memory is zeroed: the NUL stands */
}

static bool make_room(struct table *table)
{
    if (table->cell_count < table->cell_room) {
        return true;
    }
    size_t room = table->cell_room == 0 ? CELLS_FIRST : table->cell_room * 2;
    const char **cells = arena_alloc(table->arena, room * sizeof *cells);
    if (cells == NULL) {
        return false;
    }
    if (table->cell_count > 0) {
        memcpy(cells, table->cells, table->cell_count * sizeof *cells);
    }
    table->cells = cells;
    table->cell_room = room;
    return true;
}

void table_text(struct table *table, const char *text)
{
    const char *copy = make_room(table) ? printable_copy(table->arena, text) : NULL;
    if (copy == NULL) {
        table->out_of_memory = true;
        return;
    }
    table->cells[table->cell_count++] = copy;
}

void table_number(struct table *table, uint64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, number);
    table_text(table, text);
}

static void print_line(const struct table *table, const char *const *cells, const size_t *widths, FILE *file)
{
    for (size_t i = 0; i < table->column_count; i++) {
        int padding = (int)(widths[i] - text_columns(cells[i]));
        bool last = i + 1 == table->column_count;
        if (table->columns[i].right) {
            fprintf(file, "%*s%s", padding, "", cells[i]);
        } else {
            fprintf(file, "%s%*s", cells[i], last ? 0 : padding, "");
        }
        fprintf(file, "%*s", last ? 0 : GAP_COLUMNS, "");
    }
    fputc('\n', file);
}

bool table_print(const struct table *table, FILE *file)
{
    if (table->out_of_memory) {
        return false;
    }
    size_t widths[TABLE_COLUMNS_MAX] = {0};
    const char *headings[TABLE_COLUMNS_MAX];
    for (size_t i = 0; i < table->column_count; i++) {
        headings[i] = table->columns[i].heading == NULL ? "" : message(table->columns[i].heading);
        widths[i] = text_columns(headings[i]);
    }
    for (size_t i = 0, column = 0; i < table->cell_count; i++) {
        size_t columns = text_columns(table->cells[i]);
        widths[column] = columns > widths[column] ? columns : widths[column];
        column = column + 1 < table->column_count ? column + 1 : 0;
    }
    if (table->columns[0].heading != NULL) {
        print_line(table, headings, widths, file);
    }
    for (size_t row = 0; row + table->column_count <= table->cell_count; row += table->column_count) {
        print_line(table, table->cells + row, widths, file);
    }
    return true;
}
