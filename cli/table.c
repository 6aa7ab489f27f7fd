#include "table.h"

#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>
#include <string.h>
#include <wchar.h>

enum { CELLS_FIRST = 64 };

void table_use_locale(void)
{
    if (setlocale(LC_CTYPE, "") == NULL || strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        setlocale(LC_CTYPE, "C.UTF-8");
}

size_t text_character(const char *text, int *columns)
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
        text += text_character(text, &width);
        columns += width < 0 ? 1 : (size_t)width;
    }
    return columns;
}

void table_init(struct table *table, struct arena *arena, const struct table_column *columns,
                size_t column_count)
{
    *table = (struct table){.arena = arena, .columns = columns, .column_count = column_count};
}

/* Copies `text` with '?' for everything that must not reach a terminal, especially escape sequences. */
static const char *printable_copy(struct arena *arena, const char *text)
{
    char *copy = arena_alloc(arena, strlen(text) + 1);
    if (copy == NULL)
        return NULL;
    char *out = copy;
    while (*text != '\0') {
        int columns;
        size_t size = text_character(text, &columns);
        if (columns < 0) {
            *out++ = '?';
        } else {
            memcpy(out, text, size);
            out += size;
        }
        text += size;
    }
    return copy; /* arena memory is zeroed, so the NUL is already there */
}

static bool make_room(struct table *table)
{
    if (table->cell_count < table->cell_room)
        return true;
    size_t room = table->cell_room == 0 ? CELLS_FIRST : table->cell_room * 2;
    const char **cells = arena_alloc(table->arena, room * sizeof *cells);
    if (cells == NULL)
        return false;
    if (table->cell_count > 0)
        memcpy(cells, table->cells, table->cell_count * sizeof *cells);
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

size_t table_row_count(const struct table *table)
{
    return table->cell_count / table->column_count;
}
