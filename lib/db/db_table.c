#include "db/db_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/driver.h"

/* ---- markers ---- */

enum { WORD_SIZE = 40 };

enum form { NAMES, VALUES, ARRAYS, SET, EQUAL, ANY };

/*
 * A kind of list. The columns with a role in `listed` appear in the list. Those with a role in `numbered` are
 * counted to number the parameters.
 */
struct list {
    const char *word;
    enum form form;
    unsigned numbered;
    unsigned listed;
};

enum { EVERY_COLUMN = 0, KEY_AND_CHANGES = DB_KEY | DB_CHANGES };

static const struct list lists[] = {
    {"values", VALUES, EVERY_COLUMN, EVERY_COLUMN},
    {"arrays", ARRAYS, EVERY_COLUMN, EVERY_COLUMN},
    {"key", EQUAL, DB_KEY, DB_KEY},
    {"any", ANY, DB_KEY, DB_KEY},
    {"key_arrays", ARRAYS, DB_KEY, DB_KEY},
    {"changed", NAMES, KEY_AND_CHANGES, KEY_AND_CHANGES},
    {"changed_arrays", ARRAYS, KEY_AND_CHANGES, KEY_AND_CHANGES},
    {"set", SET, KEY_AND_CHANGES, DB_CHANGES},
};
enum { LIST_COUNT = sizeof lists / sizeof lists[0] };

/* The list for {thing}, and for {thing t} if `t` is none of the words above. */
static const struct list names = {"", NAMES, EVERY_COLUMN, EVERY_COLUMN};

static bool has_role(const struct db_column *column, unsigned roles)
{
    return roles == EVERY_COLUMN || (column->roles & roles) != 0;
}

static const char *postgresql_type(const struct db_column *column)
{
    switch (column->member) {
    case DB_MEMBER_BOOL:
    case DB_MEMBER_U32:
    case DB_MEMBER_I64:
    case DB_MEMBER_U64:
        return "int8";
    case DB_MEMBER_DAY:
        return "date";
    case DB_MEMBER_TEXT:
        return "text";
    case DB_MEMBER_UUID:
        return "uuid";
    case DB_MEMBER_ARRAY:
    case DB_MEMBER_POINTER:
        break;
    }
    return "bytea";
}

/* Writes one column. `source` is the alias in front of the name, or empty. */
static void write_column(FILE *out, enum form form, const struct db_column *column, unsigned number,
                         const char *source)
{
    const char *dot = source[0] != '\0' ? "." : "";
    switch (form) {
    case NAMES:
        fprintf(out, "%s%s%s", source, dot, column->name);
        break;
    case VALUES:
        fprintf(out, "$%u", number);
        break;
    case ARRAYS:
        fprintf(out, "$%u::%s[]", number, postgresql_type(column));
        break;
    case SET:
        if (source[0] != '\0')
            fprintf(out, "%s = %s.%s", column->name, source, column->name);
        else
            fprintf(out, "%s = $%u", column->name, number);
        break;
    case EQUAL:
        fprintf(out, "%s = $%u", column->name, number);
        break;
    case ANY:
        fprintf(out, "%s = ANY ($%u::%s[])", column->name, number, postgresql_type(column));
        break;
    }
}

static void write_list(FILE *out, const struct list *list, const struct db_table *table, const char *source)
{
    const char *separator = "";
    unsigned number = 0;
    for (size_t i = 0; i < table->count; i++) {
        const struct db_column *column = &table->columns[i];
        if (!has_role(column, list->numbered))
            continue;
        number++;
        if (!has_role(column, list->listed))
            continue;
        fputs(separator, out);
        write_column(out, list->form, column, number, source);
        separator = list->form == EQUAL || list->form == ANY ? " AND " : ", ";
    }
}

/* Writes the expansion of {thing.number}. */
static bool write_place(FILE *out, const struct db_table *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++)
        if (strcmp(table->columns[i].name, name) == 0)
            return fprintf(out, "$%zu", i + 1) > 0;
    return false;
}

static const struct db_table *find_table(const struct db_statement *statement, const char *name)
{
    for (size_t i = 0; i < DB_STATEMENT_TABLES && statement->tables[i] != NULL; i++)
        if (strcmp(statement->tables[i]->name, name) == 0)
            return statement->tables[i];
    return NULL;
}

static const struct list *find_list(const char *word)
{
    for (size_t i = 0; i < LIST_COUNT; i++)
        if (strcmp(lists[i].word, word) == 0)
            return &lists[i];
    return NULL;
}

/* Writes the expansion of the marker at `marker`. Returns the text after the marker, or NULL if the marker is
 * not valid. */
static const char *write_marker(FILE *out, const struct db_statement *statement, const char *marker)
{
    char name[WORD_SIZE] = "", column[WORD_SIZE] = "", words[2][WORD_SIZE] = {"", ""};
    const char *end = strchr(marker, '}');
    if (end == NULL)
        return NULL;
    if (sscanf(marker, "{%39[a-z0-9_].%39[a-z0-9_]}", name, column) < 2)
        (void)sscanf(marker, "{%39[a-z0-9_] %39[a-z0-9_] %39[a-z0-9_]}", name, words[0], words[1]);
    const struct db_table *table = find_table(statement, name);
    if (table == NULL || (column[0] != '\0' && !write_place(out, table, column)))
        return NULL;
    if (column[0] == '\0') {
        const struct list *list = find_list(words[0]);
        write_list(out, list != NULL ? list : &names, table, words[list != NULL]);
    }
    return end + 1;
}

static bool write_text(FILE *out, const struct db_statement *statement, const char *sql)
{
    while (statement->tables[0] != NULL) {
        size_t plain = strcspn(sql, "{");
        fwrite(sql, 1, plain, out);
        sql += plain;
        if (*sql == '\0')
            return true;
        sql = write_marker(out, statement, sql);
        if (sql == NULL)
            return false;
    }
    fputs(sql, out);
    return true;
}

enum status db_statement_expand(const struct db_statement *statement, const char *sql, char **out,
                                struct error *error)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (stream == NULL)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "database: out of memory");
    bool known = write_text(stream, statement, sql);
    if (fclose(stream) == 0 && known) {
        *out = text;
        return STATUS_OK;
    }
    free(text);
    if (known)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "database: out of memory");
    return error_set(error, STATUS_INTERNAL, NULL, "database: %s: unknown marker in: %s", statement->name,
                     sql);
}

/* ---- parameters ---- */

static bool is_present(const struct db_column *column, const char *record)
{
    return column->second == 0 || *(const bool *)(record + column->second);
}

static void add_id(struct db_params *params, const struct db_column *column, const struct uuid *id)
{
    if ((column->roles & DB_NIL) != 0 && uuid_is_zero(id))
        db_params_null(params);
    else
        db_params_uuid(params, id);
}

static void add_text(struct db_params *params, const char *text)
{
    db_params_text(params, text == NULL ? "" : text);
}

static void add_value(struct db_params *params, const struct db_column *column, const char *record)
{
    const void *member = record + column->offset;
    switch (column->member) {
    case DB_MEMBER_BOOL:
        db_params_int(params, *(const bool *)member);
        break;
    case DB_MEMBER_U32:
        db_params_int(params, *(const uint32_t *)member);
        break;
    case DB_MEMBER_I64:
    case DB_MEMBER_U64:
        db_params_int(params, *(const int64_t *)member);
        break;
    case DB_MEMBER_DAY:
        db_params_date(params, *(const int32_t *)member);
        break;
    case DB_MEMBER_TEXT:
        add_text(params, *(const char *const *)member);
        break;
    case DB_MEMBER_UUID:
        add_id(params, column, member);
        break;
    case DB_MEMBER_ARRAY:
        db_params_bytes(params, member, column->size);
        break;
    case DB_MEMBER_POINTER:
        db_params_bytes(params, *(const uint8_t *const *)member, *(const size_t *)(record + column->second));
        break;
    }
}

static void add_row(struct db_params *params, const struct db_table *table, unsigned roles,
                    const char *record)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct db_column *column = &table->columns[i];
        if (!has_role(column, roles))
            continue;
        if (column->member == DB_MEMBER_POINTER || is_present(column, record))
            add_value(params, column, record);
        else
            db_params_null(params);
    }
    db_params_end_row(params);
}

void db_params_record(struct db_params *params, const struct db_table *table, const void *record)
{
    add_row(params, table, EVERY_COLUMN, record);
}

void db_params_changed(struct db_params *params, const struct db_table *table, const void *record)
{
    add_row(params, table, KEY_AND_CHANGES, record);
}

void db_params_key(struct db_params *params, const struct db_table *table, const void *record)
{
    add_row(params, table, DB_KEY, record);
}

enum status db_run_records(struct db *db, const struct db_statement *statement,
                           void (*add_record)(struct db_params *, const struct db_table *, const void *),
                           const struct db_table *table, void *const *records, size_t count,
                           struct error *error)
{
    if (count == 0)
        return STATUS_OK;
    struct db_params *params = db_params_create();
    if (params == NULL)
        return error_no_memory(error);
    for (size_t i = 0; i < count; i++)
        add_record(params, table, records[i]);
    enum status status = db_run(db, statement, params, NULL, NULL, error);
    db_params_destroy(params);
    return status;
}

/* ---- rows ---- */

static void read_array(const struct db_row *row, int number, const struct db_column *column, void *member)
{
    size_t found;
    const void *bytes = db_row_bytes(row, number, &found);
    if (found == column->size)
        memcpy(member, bytes, found);
    else if (column->second != 0 && db_row_is_null(row, number))
        memset(member, 0, column->size);
    else
        db_row_reject(row, number, "bytes of this size");
}

/* Reads an integer. The run fails if the member cannot hold it or if it is outside the column's range. */
static int64_t read_int(const struct db_row *row, int number, const struct db_column *column)
{
    int64_t value = db_row_int(row, number);
    int64_t low = column->low, high = column->high;
    if (high == 0 && column->member == DB_MEMBER_BOOL)
        high = 1;
    else if (high == 0 && column->member == DB_MEMBER_U32)
        high = UINT32_MAX;
    else if (high == 0)
        high = INT64_MAX;
    if (column->member == DB_MEMBER_I64 && column->high == 0)
        low = INT64_MIN;
    if (value < low || value > high)
        db_row_reject(row, number, "int in its range");
    return value;
}

static void read_value(const struct db_row *row, int number, const struct db_column *column, char *record)
{
    void *member = record + column->offset;
    switch (column->member) {
    case DB_MEMBER_BOOL:
        *(bool *)member = read_int(row, number, column) != 0;
        break;
    case DB_MEMBER_U32:
        *(uint32_t *)member = (uint32_t)read_int(row, number, column);
        break;
    case DB_MEMBER_I64:
    case DB_MEMBER_U64:
        *(int64_t *)member = read_int(row, number, column);
        break;
    case DB_MEMBER_DAY:
        *(int32_t *)member = db_row_date(row, number);
        break;
    case DB_MEMBER_TEXT:
        *(const char **)member = db_row_text(row, number);
        break;
    case DB_MEMBER_UUID:
        *(struct uuid *)member = db_row_uuid(row, number);
        break;
    case DB_MEMBER_ARRAY:
        read_array(row, number, column, member);
        break;
    case DB_MEMBER_POINTER:
        *(const uint8_t **)member = db_row_bytes(row, number, (size_t *)(record + column->second));
        break;
    }
}

int db_row_record(const struct db_row *row, int first, const struct db_table *table, void *record)
{
    int number = first;
    for (size_t i = 0; i < table->count; i++, number++) {
        const struct db_column *column = &table->columns[i];
        read_value(row, number, column, record);
        if (column->second != 0 && column->member != DB_MEMBER_POINTER)
            *(bool *)((char *)record + column->second) = !db_row_is_null(row, number);
    }
    return number;
}

bool db_table_keep(const struct db_table *table, void *record, struct arena *arena)
{
    for (size_t i = 0; i < table->count; i++) {
        const char **text = (const char **)((char *)record + table->columns[i].offset);
        if (table->columns[i].member != DB_MEMBER_TEXT || *text == NULL)
            continue;
        *text = arena_strdup(arena, *text);
        if (*text == NULL)
            return false;
    }
    return true;
}
