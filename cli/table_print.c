/* Lays out a table for the terminal, or writes it as CSV. */
#include "message.h"
#include "table.h"

#include <stdlib.h>
#include <string.h>

enum { GAP_COLUMNS = 2, ID_COLUMNS_MIN = 8, FLEXIBLE_COLUMNS_MIN = 8 };

/* The visible columns and their widths. */
struct view {
    bool shown[TABLE_COLUMNS_MAX];
    size_t widths[TABLE_COLUMNS_MAX];
};

static const char *cell_of(const struct table *table, size_t row, size_t column)
{
    return table->cells[row * table->column_count + column];
}

static const char *heading_of(const struct table *table, size_t column)
{
    const char *heading = table->columns[column].heading;
    return heading == NULL ? "" : message(heading);
}

static bool in(unsigned set, size_t column)
{
    return (set & TABLE_COLUMN(column)) != 0;
}

static bool is_empty(const struct table *table, size_t column)
{
    for (size_t row = 0; row < table_row_count(table); row++)
        if (cell_of(table, row, column)[0] != '\0')
            return false;
    return true;
}

static void measure(const struct table *table, struct view *view)
{
    for (size_t column = 0; column < table->column_count; column++) {
        view->shown[column] = !in(table->layout.hidden, column) &&
                              !(in(table->layout.if_filled, column) && is_empty(table, column));
        view->widths[column] = text_columns(heading_of(table, column));
        for (size_t row = 0; row < table_row_count(table); row++) {
            size_t columns = text_columns(cell_of(table, row, column));
            view->widths[column] = columns > view->widths[column] ? columns : view->widths[column];
        }
    }
}

/* Returns the number of columns by which the table is too wide for the terminal. */
static size_t excess(const struct table *table, const struct view *view)
{
    size_t total = 0;
    for (size_t column = 0; column < table->column_count; column++)
        if (view->shown[column])
            total += view->widths[column] + (total > 0 ? GAP_COLUMNS : 0);
    return table->width_max > 0 && total > table->width_max ? total - table->width_max : 0;
}

/* ---- fitting the table to the terminal ---- */

static int compare_cells(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static size_t common_length(const char *a, const char *b)
{
    size_t length = 0;
    while (a[length] != '\0' && a[length] == b[length])
        length++;
    return length;
}

/*
 * Returns the shortest prefix length, at least ID_COLUMNS_MIN, at which the different texts of a column stay
 * distinct. Returns SIZE_MAX when out of memory.
 */
static size_t different_length(const struct table *table, size_t column)
{
    size_t rows = table_row_count(table), length = ID_COLUMNS_MIN;
    const char **sorted = arena_alloc(table->arena, (rows + 1) * sizeof *sorted);
    for (size_t row = 0; sorted != NULL && row < rows; row++)
        sorted[row] = cell_of(table, row, column);
    if (sorted == NULL)
        return SIZE_MAX;
    qsort(sorted, rows, sizeof *sorted, compare_cells);
    for (size_t row = 1; row < rows; row++) {
        size_t common = common_length(sorted[row - 1], sorted[row]);
        if (sorted[row][common] != '\0' && common + 1 > length)
            length = common + 1;
    }
    return length;
}

static void shorten_ids(const struct table *table, struct view *view)
{
    for (size_t column = 0; column < table->column_count; column++) {
        if (view->shown[column] && in(table->layout.ids, column)) {
            size_t heading = text_columns(heading_of(table, column));
            size_t length = different_length(table, column);
            size_t width = length > heading ? length : heading;
            view->widths[column] = width < view->widths[column] ? width : view->widths[column];
        }
    }
}

static void leave_out(const struct table *table, struct view *view)
{
    for (size_t column = table->column_count; column-- > 0 && excess(table, view) > 0;)
        if (in(table->layout.optional, column))
            view->shown[column] = false;
}

static void cut(const struct table *table, struct view *view)
{
    for (size_t over = excess(table, view); over > 0; over--) {
        size_t widest = table->column_count;
        for (size_t column = 0; column < table->column_count; column++)
            if (view->shown[column] && in(table->layout.flexible, column) &&
                view->widths[column] > FLEXIBLE_COLUMNS_MIN &&
                (widest == table->column_count || view->widths[column] > view->widths[widest]))
                widest = column;
        if (widest == table->column_count)
            return; /* no column can become narrower */
        view->widths[widest]--;
    }
}

/* ---- writing ---- */

/*
 * Writes as much of `text` as fits into `width` columns. Truncates an id, and ends other text with an
 * ellipsis. Returns the number of columns written.
 */
static size_t print_cell(const char *text, size_t width, bool id, FILE *file)
{
    size_t columns = text_columns(text);
    if (columns <= width) {
        fputs(text, file);
        return columns;
    }
    size_t room = id ? width : width - 1, used = 0, length = 0;
    for (;;) {
        int columns_of_character;
        size_t size = text_character(text + length, &columns_of_character);
        size_t wide = columns_of_character < 0 ? 1 : (size_t)columns_of_character;
        if (used + wide > room)
            break;
        used += wide;
        length += size;
    }
    fprintf(file, "%.*s%s", (int)length, text, id ? "" : "\u2026");
    return used + (id ? 0 : 1);
}

static void print_line(const struct table *table, const struct view *view, const char *const *cells,
                       FILE *file)
{
    size_t padding = 0; /* after the previous column */
    bool first = true;
    for (size_t column = 0; column < table->column_count; column++) {
        if (!view->shown[column])
            continue;
        padding += first ? 0 : GAP_COLUMNS;
        first = false;
        size_t width = view->widths[column], columns = text_columns(cells[column]);
        size_t before = table->columns[column].right && columns < width ? width - columns : 0, written = 0;
        padding += before;
        if (columns > 0) { /* there is no padding after the last text of a line */
            fprintf(file, "%*s", (int)padding, "");
            written = print_cell(cells[column], width, in(table->layout.ids, column), file);
            padding = 0;
        }
        padding += width - before - written;
    }
    fputc('\n', file);
}

bool table_print(const struct table *table, FILE *file)
{
    struct view view;
    const char *headings[TABLE_COLUMNS_MAX];
    if (table->out_of_memory)
        return false;
    measure(table, &view);
    if (excess(table, &view) > 0) {
        shorten_ids(table, &view);
        leave_out(table, &view);
        cut(table, &view);
    }
    for (size_t column = 0; column < table->column_count; column++)
        headings[column] = heading_of(table, column);
    if (table->columns[0].heading != NULL)
        print_line(table, &view, headings, file);
    for (size_t row = 0; row < table_row_count(table); row++)
        print_line(table, &view, table->cells + row * table->column_count, file);
    return true;
}

/* ---- CSV ---- */

static void write_field(const char *text, FILE *file)
{
    bool formula = text[0] != '\0' && strchr("=+-@\t\r", text[0]) != NULL && strcmp(text, "-") != 0;
    if (!formula && strpbrk(text, ",\"\r\n") == NULL) {
        fputs(text, file);
        return;
    }
    fputs(formula ? "\"'" : "\"", file);
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '"')
            fputc('"', file);
        fputc(*at, file);
    }
    fputc('"', file);
}

bool table_print_csv(const struct table *table, FILE *file)
{
    if (table->out_of_memory)
        return false;
    fputs("\xef\xbb\xbf", file);
    for (size_t column = 0; column < table->column_count; column++) {
        fputs(column > 0 ? "," : "", file);
        write_field(heading_of(table, column), file);
    }
    fputs("\r\n", file);
    for (size_t row = 0; row < table_row_count(table); row++) {
        for (size_t column = 0; column < table->column_count; column++) {
            fputs(column > 0 ? "," : "", file);
            write_field(cell_of(table, row, column), file);
        }
        fputs("\r\n", file);
    }
    return true;
}
