/* Tests tables described by their columns, on both drivers: markers, parameters, rows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/unit_testing.h"
#include "db/db_table.h"
#include "db/db_testing.h"
#include "db/driver.h"

enum { HASH_BYTES = 4, DAY = 20788 };

enum color { RED = 1, BLUE = 2 };

struct thing {
    struct uuid id;
    struct uuid owner;
    const char *label;
    uint8_t hash[HASH_BYTES];
    const uint8_t *content;
    size_t content_size;
    bool hashed, sold;
    int32_t sold_on;
    int64_t changed_at_us;
    uint64_t version;
    enum color color;
    bool hidden;
    int not_stored;
};

static const struct db_column THING_COLUMNS[] = {
    DB_COLUMN(struct thing, id, UUID, DB_KEY),
    DB_COLUMN(struct thing, owner, UUID, DB_NIL),
    DB_COLUMN(struct thing, label, TEXT, DB_FIXED),
    DB_COLUMN_WITH("hash", struct thing, hash, BYTES, DB_FIXED, hashed),
    DB_COLUMN_WITH("content", struct thing, content, BYTES, DB_FIXED, content_size),
    DB_COLUMN_WITH("day", struct thing, sold_on, DATE, DB_CHANGES, sold),
    DB_COLUMN(struct thing, changed_at_us, INT, DB_CHANGES),
    DB_COLUMN(struct thing, version, INT, DB_CHANGES),
    DB_COLUMN_IN(struct thing, color, DB_CHANGES, RED, BLUE),
    DB_COLUMN(struct thing, hidden, INT, DB_FIXED),
};
static const struct db_table THING = DB_TABLE("thing", THING_COLUMNS);

/* A table with two key columns, used only to expand markers. */
static const struct db_column PLACE_COLUMNS[] = {
    DB_COLUMN(struct thing, id, UUID, DB_KEY),
    DB_COLUMN_AS("day", struct thing, sold_on, DATE, DB_KEY),
    DB_COLUMN(struct thing, version, INT, DB_CHANGES),
};
static const struct db_table PLACE = DB_TABLE("place", PLACE_COLUMNS);

static const struct db_statement INSERT_THINGS = {
    .name = "insert_things",
    DB_INSERT("thing"),
    .tables = {&THING},
};

static const struct db_statement INSERT_ONE_BY_ONE = {
    .name = "insert_one_by_one",
    .sql = DB_INSERT_SQL("thing"),
    .tables = {&THING},
};

static const struct db_statement UPDATE_THINGS = {
    .name = "update_things",
    DB_UPDATE("thing", "id"),
    .tables = {&THING},
};

static const struct db_statement SAVE_THINGS = {
    .name = "save_things",
    DB_SAVE("thing", "id"),
    .tables = {&THING},
};

static const struct db_statement LOAD_THINGS = {
    .name = "load_things",
    DB_LOAD("thing"),
    .tables = {&THING},
};

static const struct db_statement LIST_THINGS = {
    .name = "list_things",
    .sql = "SELECT 7, {thing t}, 9 FROM thing t ORDER BY t.id",
    .tables = {&THING},
};

static const struct db_statement UNKNOWN_MARKER = {
    .name = "unknown_marker",
    .sql = "SELECT {thing.weight} FROM thing",
    .tables = {&THING},
};

static struct fixture *with_table(void **state)
{
    struct fixture *f = fixture_of(state);
    struct error error = {0};
    const char *script =
        "CREATE TABLE thing (id BLOB PRIMARY KEY, owner BLOB, label TEXT, hash BLOB, content BLOB, day TEXT,"
        " changed_at_us INTEGER, version INTEGER, color INTEGER, hidden INTEGER);";

    if (f->dialect == DB_POSTGRESQL)
        script = "CREATE TABLE thing (id uuid PRIMARY KEY, owner uuid, label text, hash bytea, content bytea,"
                 " day date, changed_at_us int8, version int8, color int2, hidden int2);";
    fixture_expect(db_run_script(f->db, script, &error), STATUS_OK, &error);
    return f;
}

static struct thing thing_of(uint8_t number)
{
    return (struct thing){
        .id = {{number}},
        .owner = {{number % 2 == 0 ? number : 0}},
        .label = number % 2 == 0 ? "even" : "가나다",
        .hash = {number % 3 != 0, 0, number % 3, 0},
        .hashed = number % 3 != 0,
        .content = (const uint8_t *)"a\0b",
        .content_size = number % 2 == 0 ? 3 : 0,
        .sold = number % 2 == 0,
        .sold_on = number % 2 == 0 ? DAY : 0,
        .changed_at_us = INT64_MIN + number,
        .version = INT64_MAX - number,
        .color = number % 2 == 0 ? BLUE : RED,
        .hidden = number % 2 == 0,
    };
}

static void assert_same(const struct thing *thing, const struct thing *wanted)
{
    assert_memory_equal(&thing->id, &wanted->id, sizeof thing->id);
    assert_memory_equal(&thing->owner, &wanted->owner, sizeof thing->owner);
    assert_string_equal(thing->label, wanted->label);
    assert_memory_equal(thing->hash, wanted->hash, HASH_BYTES);
    assert_int_equal(thing->hashed, wanted->hashed);
    assert_int_equal(thing->content_size, wanted->content_size);
    assert_memory_equal(thing->content, wanted->content, wanted->content_size);
    assert_int_equal(thing->sold, wanted->sold);
    assert_int_equal(thing->sold_on, wanted->sold_on);
    assert_true(thing->changed_at_us == wanted->changed_at_us);
    assert_true(thing->version == wanted->version);
    assert_int_equal(thing->color, wanted->color);
    assert_int_equal(thing->hidden, wanted->hidden);
}

static void run(struct fixture *f, const struct db_statement *statement)
{
    struct error error = {0};
    fixture_expect(db_run(f->db, statement, f->params, NULL, NULL, &error), STATUS_OK, &error);
    db_params_reset(f->params);
}

/* Adds thing_of(1), thing_of(2), ... The parameters refer to `things`. */
static void add_things(struct fixture *f, struct thing *things, uint8_t count)
{
    for (uint8_t i = 0; i < count; i++) {
        things[i] = thing_of((uint8_t)(i + 1));
        db_params_record(f->params, &THING, &things[i]);
    }
}

/* Checks the rows against thing_of(1), thing_of(2), ... */
static enum status check_row(void *context, const struct db_row *row)
{
    uint8_t *number = context;
    struct thing thing = {.hash = {9}, .not_stored = 5}, wanted = thing_of(++*number);
    assert_int_equal(db_row_record(row, 1, &THING, &thing), 11);
    assert_int_equal(db_row_int(row, 11), 9);
    assert_same(&thing, &wanted);
    assert_int_equal(thing.not_stored, 5);
    return STATUS_OK;
}

static void insert_and_list(void **state, const struct db_statement *insert)
{
    struct fixture *f = with_table(state);
    struct error error = {0};
    struct thing things[9];
    uint8_t seen = 0;
    add_things(f, things, 9);
    run(f, insert);
    fixture_expect(db_run(f->db, &LIST_THINGS, NULL, check_row, &seen, &error), STATUS_OK, &error);
    assert_int_equal(seen, 9);
}

static void test_table_inserted_records_come_back(void **state)
{
    insert_and_list(state, &INSERT_THINGS);
}

static void test_table_records_inserted_one_by_one_come_back(void **state)
{
    insert_and_list(state, &INSERT_ONE_BY_ONE);
}

struct kept {
    struct arena arena;
    struct thing thing;
    size_t rows;
};

static enum status keep_row(void *context, const struct db_row *row)
{
    struct kept *kept = context;
    (void)db_row_record(row, 0, &THING, &kept->thing);
    kept->rows++;
    return db_table_keep(&THING, &kept->thing, &kept->arena) ? STATUS_OK : STATUS_RESOURCE_EXHAUSTED;
}

static void load(struct fixture *f, uint8_t number, struct kept *kept)
{
    const struct thing key = {.id = {{number}}};
    struct error error = {0};
    arena_init(&kept->arena);
    kept->rows = 0;
    db_params_key(f->params, &THING, &key);
    fixture_expect(db_run(f->db, &LOAD_THINGS, f->params, keep_row, kept, &error), STATUS_OK, &error);
    db_params_reset(f->params);
}

static void test_table_load_finds_by_key_and_keeps_the_texts(void **state)
{
    struct fixture *f = with_table(state);
    struct thing things[4], wanted = thing_of(3), unnamed = thing_of(5);
    struct kept kept = {0};
    unnamed.label = NULL;
    db_params_record(f->params, &THING, &unnamed);
    add_things(f, things, 4);
    run(f, &INSERT_THINGS);
    load(f, 3, &kept);
    assert_int_equal(kept.rows, 1);
    assert_string_equal(kept.thing.label, wanted.label);
    assert_true(kept.thing.version == wanted.version);
    arena_fini(&kept.arena);
    load(f, 5, &kept);
    assert_string_equal(kept.thing.label, "");
    arena_fini(&kept.arena);
    load(f, 6, &kept);
    assert_int_equal(kept.rows, 0);
    arena_fini(&kept.arena);
}

static void test_table_update_writes_the_changing_columns_only(void **state)
{
    struct fixture *f = with_table(state);
    struct thing things[2], two = thing_of(2), changed = two;
    struct kept kept = {0};
    add_things(f, things, 2);
    run(f, &INSERT_THINGS);
    changed.label = "not written";
    changed.sold = false;
    changed.color = RED;
    changed.version = 17;
    db_params_changed(f->params, &THING, &changed);
    run(f, &UPDATE_THINGS);
    load(f, 2, &kept);
    assert_string_equal(kept.thing.label, two.label);
    assert_false(kept.thing.sold);
    assert_int_equal(kept.thing.color, RED);
    assert_true(kept.thing.version == 17);
    arena_fini(&kept.arena);
    load(f, 1, &kept);
    assert_true(kept.thing.version == thing_of(1).version);
    arena_fini(&kept.arena);
}

static void test_table_save_inserts_or_writes_the_changing_columns(void **state)
{
    struct fixture *f = with_table(state);
    struct thing two = thing_of(2), three = thing_of(3), changed = two;
    struct kept kept = {0};
    db_params_record(f->params, &THING, &two);
    run(f, &SAVE_THINGS);
    changed.label = "not written";
    changed.color = RED;
    db_params_record(f->params, &THING, &changed);
    db_params_record(f->params, &THING, &three);
    run(f, &SAVE_THINGS);
    load(f, 2, &kept);
    assert_string_equal(kept.thing.label, two.label);
    assert_int_equal(kept.thing.color, RED);
    arena_fini(&kept.arena);
    load(f, 3, &kept);
    assert_int_equal(kept.rows, 1);
    arena_fini(&kept.arena);
}

static void test_table_bytes_of_another_size_fail(void **state)
{
    struct fixture *f = with_table(state);
    const char *spoil =
        f->dialect == DB_SQLITE ? "UPDATE thing SET hash = x'010203'" : "UPDATE thing SET hash = '\\x010203'";
    const struct thing two = thing_of(2);
    struct error error = {0};
    struct kept kept = {0};
    db_params_record(f->params, &THING, &two);
    run(f, &INSERT_THINGS);
    fixture_expect(db_run_script(f->db, spoil, &error), STATUS_OK, &error);
    arena_init(&kept.arena);
    db_params_key(f->params, &THING, &two);
    fixture_expect(db_run(f->db, &LOAD_THINGS, f->params, keep_row, &kept, &error), STATUS_INTERNAL, &error);
    assert_non_null(strstr(error.message, "column 3 is not of type bytes"));
    arena_fini(&kept.arena);
}

static enum status reject_row(void *context, const struct db_row *row)
{
    struct thing thing = {0};
    (void)context;
    (void)db_row_record(row, 0, &THING, &thing);
    assert_false(db_row_is_sound(row));
    return STATUS_OK;
}

static void test_table_integers_that_a_member_cannot_hold_fail(void **state)
{
    struct fixture *f = with_table(state);
    struct thing things[1];
    static const char *const IMPOSSIBLE[] = {"version = -1", "color = 0",  "color = 3",
                                             "color = NULL", "hidden = 2", "hidden = -1"};
    add_things(f, things, 1);
    run(f, &INSERT_THINGS);
    for (size_t i = 0; i < sizeof IMPOSSIBLE / sizeof IMPOSSIBLE[0]; i++) {
        char script[128];
        struct error error = {0};
        snprintf(script, sizeof script,
                 "UPDATE thing SET version = 1, color = 1, hidden = 0;"
                 "UPDATE thing SET %s;",
                 IMPOSSIBLE[i]);
        fixture_expect(db_run_script(f->db, script, &error), STATUS_OK, &error);
        db_params_key(f->params, &THING, &things[0]);
        fixture_expect(db_run(f->db, &LOAD_THINGS, f->params, reject_row, NULL, &error), STATUS_INTERNAL,
                       &error);
        db_params_reset(f->params);
        assert_non_null(strstr(error.message, "is not of type int in its range"));
    }
}

static void test_table_unknown_marker_fails(void **state)
{
    struct fixture *f = with_table(state);
    struct error error = {0};
    fixture_expect(db_run(f->db, &UNKNOWN_MARKER, NULL, NULL, NULL, &error), STATUS_INTERNAL, &error);
    assert_non_null(strstr(error.message, "unknown marker"));
}

static void expect_text(const char *sql, const char *wanted)
{
    const struct db_statement statement = {.name = "expand", .sql = sql, .tables = {&THING, &PLACE}};
    struct error error = {0};
    char *text = NULL;
    fixture_expect(db_statement_expand(&statement, sql, &text, &error), STATUS_OK, &error);
    assert_string_equal(text, wanted);
    free(text);
}

static void test_table_markers_become_lists(void **state)
{
    (void)state;
    expect_text("a {place} b {place p}", "a id, day, version b p.id, p.day, p.version");
    expect_text("({place values})({place arrays})", "($1, $2, $3)($1::uuid[], $2::date[], $3::int8[])");
    expect_text("{place key} {place key_arrays}", "id = $1 AND day = $2 $1::uuid[], $2::date[]");
    expect_text("{thing any}", "id = ANY ($1::uuid[])");
    expect_text("{thing set}", "day = $2, changed_at_us = $3, version = $4, color = $5");
    expect_text("{place set excluded}", "version = excluded.version");
    expect_text("{thing changed}", "id, day, changed_at_us, version, color");
    expect_text("{thing changed_arrays}", "$1::uuid[], $2::date[], $3::int8[], $4::int8[], $5::int8[]");
    expect_text("{thing.label}{place.version}", "$3$3");
    expect_text("no marker", "no marker");
}

static void test_table_text_of_a_statement_without_tables_is_left_alone(void **state)
{
    const struct db_statement statement = {.name = "plain", .sql = "SELECT '{thing}'"};
    struct error error = {0};
    char *text = NULL;
    (void)state;
    fixture_expect(db_statement_expand(&statement, statement.sql, &text, &error), STATUS_OK, &error);
    assert_string_equal(text, statement.sql);
    free(text);
}

static void test_table_unfinished_marker_is_refused(void **state)
{
    const struct db_statement statement = {.name = "unfinished", .sql = "SELECT {thing", .tables = {&THING}};
    struct error error = {0};
    char *text = NULL;
    (void)state;
    assert_int_equal(db_statement_expand(&statement, statement.sql, &text, &error), STATUS_INTERNAL);
    assert_null(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_table_inserted_records_come_back),
        TEST_BOTH(test_table_records_inserted_one_by_one_come_back),
        TEST_BOTH(test_table_load_finds_by_key_and_keeps_the_texts),
        TEST_BOTH(test_table_update_writes_the_changing_columns_only),
        TEST_BOTH(test_table_save_inserts_or_writes_the_changing_columns),
        TEST_BOTH(test_table_bytes_of_another_size_fail),
        TEST_BOTH(test_table_integers_that_a_member_cannot_hold_fail),
        TEST_BOTH(test_table_unknown_marker_fails),
        cmocka_unit_test(test_table_markers_become_lists),
        cmocka_unit_test(test_table_text_of_a_statement_without_tables_is_left_alone),
        cmocka_unit_test(test_table_unfinished_marker_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
