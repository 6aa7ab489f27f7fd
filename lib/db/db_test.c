/* Tests the contract of both drivers: parameters, rows, transactions. */
#include <stdlib.h>
#include <string.h>

#include "base/unit_testing.h"
#include "db/db_testing.h"

enum { MANY = 1000, BIG_TEXT_BYTES = 10 * 1024, DAY = 20788 };

static const struct db_statement insert = {
    .name = "insert_thing",
    .sql = "INSERT INTO thing (id, number, label, content, owner, day) VALUES ($1, $2, $3, $4, $5, $6)",
};

static const struct db_statement insert_set = {
    .name = "insert_thing_set",
    .sql = "INSERT INTO thing (id, number, label, content, owner, day) VALUES ($1, $2, $3, $4, $5, $6)",
    .postgresql_set = "INSERT INTO thing (id, number, label, content, owner, day) SELECT * FROM"
                      " unnest($1::int8[], $2::int8[], $3::text[], $4::bytea[], $5::uuid[], $6::date[])",
};

static const struct db_statement insert_returning = {
    .name = "insert_thing_returning",
    .sql = "INSERT INTO thing (id, label) VALUES ($1, $2) RETURNING id, label",
};

static const struct db_statement select_all = {
    .name = "select_things",
    .sql = "SELECT id, number, label, content, owner, day FROM thing ORDER BY id",
};

static const struct db_statement select_some = {
    .name = "select_some_things",
    .sql = "SELECT id FROM thing WHERE id = $1",
    .postgresql_set = "SELECT id FROM thing JOIN unnest($1::int8[]) AS wanted (id) USING (id)",
};

static const struct db_statement renumber = {
    .name = "renumber_things",
    .sql = "UPDATE thing SET number = $2 WHERE id >= $1",
};

static const struct db_statement count_all = {.name = "count_things", .sql = "SELECT count(*) FROM thing"};
static const struct db_statement broken = {.name = "broken", .sql = "INSERT INTO nothing (id) VALUES (1)"};

static struct fixture *with_table(void **state)
{
    struct fixture *f = fixture_of(state);
    struct error error = {0};
    const char *script =
        "CREATE TABLE thing (id INTEGER PRIMARY KEY, number INTEGER, label TEXT, content BLOB,"
        " owner BLOB, day TEXT);";

    if (f->dialect == DB_POSTGRESQL)
        script = "CREATE TABLE thing (id int8 PRIMARY KEY, number int8, label text, content bytea,"
                 " owner uuid, day date);";
    fixture_expect(db_run_script(f->db, script, &error), STATUS_OK, &error);
    return f;
}

/* Adds row `id`. In every third row, all columns but the id are null. */
static void add_thing(struct db_params *params, int64_t id)
{
    struct uuid owner = {{1, 2, 3}};
    owner.bytes[15] = (uint8_t)id;
    db_params_int(params, id);
    if (id % 3 == 0) {
        for (int i = 0; i < 5; i++)
            db_params_null(params);
    } else {
        db_params_int(params, INT64_MIN + id);
        db_params_text(params, id % 2 == 0 ? "" : "가나다 \"quoted\", {braces}, \\back");
        db_params_bytes(params, "\0\1\xff", id % 2 == 0 ? 0 : 3);
        db_params_uuid(params, &owner);
        db_params_date(params, DAY - (int32_t)id * 10000);
    }
    db_params_end_row(params);
}

struct check {
    int64_t rows;
};

static enum status check_thing(void *context, const struct db_row *row)
{
    struct check *check = context;
    int64_t id = ++check->rows;
    bool odd = id % 2 == 1;
    size_t size = 99;
    const char *content;
    assert_int_equal(db_row_int(row, 0), id);
    assert_int_equal(db_row_is_null(row, 1), id % 3 == 0);
    content = db_row_bytes(row, 3, &size);
    if (id % 3 == 0) {
        assert_int_equal(db_row_int(row, 1), 0);
        assert_string_equal(db_row_text(row, 2), "");
        assert_int_equal(size, 0);
        assert_true(uuid_is_zero(&(struct uuid){.bytes[0] = db_row_uuid(row, 4).bytes[0]}));
        assert_int_equal(db_row_date(row, 5), 0);
        return STATUS_OK;
    }
    assert_true(db_row_int(row, 1) == INT64_MIN + id);
    assert_string_equal(db_row_text(row, 2), odd ? "가나다 \"quoted\", {braces}, \\back" : "");
    assert_int_equal(size, odd ? 3 : 0);
    assert_memory_equal(content, "\0\1\xff", size);
    assert_false(db_row_is_null(row, 3));
    assert_int_equal(db_row_uuid(row, 4).bytes[15], id);
    assert_int_equal(db_row_date(row, 5), DAY - id * 10000);
    return STATUS_OK;
}

static void insert_and_check(void **state, const struct db_statement *statement)
{
    struct fixture *f = with_table(state);
    struct error error = {0};
    struct check check = {0};
    for (int64_t id = 1; id <= 12; id++)
        add_thing(f->params, id);
    fixture_expect(db_begin(f->db, &error), STATUS_OK, &error);
    fixture_expect(db_run(f->db, statement, f->params, NULL, NULL, &error), STATUS_OK, &error);
    fixture_expect(db_commit(f->db, &error), STATUS_OK, &error);
    fixture_expect(db_run(f->db, &select_all, NULL, check_thing, &check, &error), STATUS_OK, &error);
    assert_int_equal(check.rows, 12);
}

static void test_db_every_type_row_by_row_comes_back(void **state)
{
    insert_and_check(state, &insert);
}

static void test_db_every_type_as_a_set_comes_back(void **state)
{
    insert_and_check(state, &insert_set);
}

/*
 * Inserts one row with nulls, two with values, and another one with nulls, each in a separate call. The types
 * are known from the second row on.
 */
static void nulls_and_values(void **state, const struct db_statement *statement)
{
    struct fixture *f = with_table(state);
    struct error error = {0};
    struct check check = {.rows = 2};
    for (int64_t id = 3; id <= 6; id++) {
        db_params_reset(f->params);
        add_thing(f->params, id);
        fixture_expect(db_run(f->db, statement, f->params, NULL, NULL, &error), STATUS_OK, &error);
    }
    fixture_expect(db_run(f->db, &select_all, NULL, check_thing, &check, &error), STATUS_OK, &error);
    assert_int_equal(check.rows, 6);
}

static void test_db_columns_of_nulls_only_are_inserted(void **state)
{
    nulls_and_values(state, &insert);
}

static void test_db_columns_of_nulls_only_as_a_set_are_inserted(void **state)
{
    nulls_and_values(state, &insert_set);
}

struct echo {
    int64_t rows;
    size_t bytes;
};

static enum status take_echo(void *context, const struct db_row *row)
{
    struct echo *echo = context;
    echo->rows++;
    echo->bytes += strlen(db_row_text(row, 1));
    return STATUS_OK;
}

static void test_db_many_big_rows_both_ways_do_not_block(void **state)
{
    struct fixture *f = with_table(state);
    struct error error = {0};
    struct echo echo = {0};
    char *big = malloc(BIG_TEXT_BYTES + 1);
    memset(big, 'x', BIG_TEXT_BYTES);
    big[BIG_TEXT_BYTES] = '\0';
    for (int64_t id = 1; id <= MANY; id++) {
        db_params_int(f->params, id);
        db_params_text(f->params, big);
        db_params_end_row(f->params);
    }
    fixture_expect(db_begin(f->db, &error), STATUS_OK, &error);
    fixture_expect(db_run(f->db, &insert_returning, f->params, take_echo, &echo, &error), STATUS_OK, &error);
    fixture_expect(db_commit(f->db, &error), STATUS_OK, &error);
    assert_int_equal(echo.rows, MANY);
    assert_int_equal(echo.bytes, (size_t)MANY * BIG_TEXT_BYTES);
    assert_int_equal(fixture_number(f->db, &count_all), MANY);
    free(big);
}

static enum status count_row(void *context, const struct db_row *row)
{
    (void)row;
    ++*(int *)context;
    return STATUS_OK;
}

static void test_db_set_of_keys_finds_the_rows_that_exist(void **state)
{
    struct fixture *f = with_table(state);
    struct error error = {0};
    int rows = 0;
    for (int64_t id = 1; id <= 5; id++)
        add_thing(f->params, id);
    fixture_expect(db_run(f->db, &insert, f->params, NULL, NULL, &error), STATUS_OK, &error);
    db_params_reset(f->params);
    for (int64_t id = 4; id <= 8; id++) {
        db_params_int(f->params, id);
        db_params_end_row(f->params);
    }
    fixture_expect(db_run(f->db, &select_some, f->params, count_row, &rows, &error), STATUS_OK, &error);
    assert_int_equal(rows, 2);
    db_params_reset(f->params);
    fixture_expect(db_run(f->db, &select_some, f->params, count_row, &rows, &error), STATUS_OK, &error);
    assert_int_equal(rows, 2);
}

static void test_db_counting_returns_the_changed_rows(void **state)
{
    struct fixture *f = with_table(state);
    struct error error = {0};
    int64_t changed = -1;
    for (int64_t id = 1; id <= 5; id++)
        add_thing(f->params, id);
    fixture_expect(db_run_counting(f->db, &insert_set, f->params, &changed, &error), STATUS_OK, &error);
    assert_int_equal(changed, 5);
    db_params_reset(f->params);
    for (int64_t from = 3; from <= 6; from++) { /* 3 + 2 + 1 + 0 rows */
        db_params_int(f->params, from);
        db_params_int(f->params, 7);
        db_params_end_row(f->params);
    }
    fixture_expect(db_begin(f->db, &error), STATUS_OK, &error);
    fixture_expect(db_run_counting(f->db, &renumber, f->params, &changed, &error), STATUS_OK, &error);
    fixture_expect(db_commit(f->db, &error), STATUS_OK, &error);
    assert_int_equal(changed, 6);
}

static enum status read_wrong_type(void *context, const struct db_row *row)
{
    (void)context;
    assert_int_equal(db_row_int(row, 2), 0);
    return STATUS_OK;
}

static enum status refuse_row(void *context, const struct db_row *row)
{
    (void)row;
    ++*(int *)context;
    return STATUS_NOT_FOUND;
}

static void test_db_row_read_wrongly_or_refused_ends_the_run(void **state)
{
    struct fixture *f = with_table(state);
    struct error error = {0};
    int rows = 0;
    for (int64_t id = 1; id <= 2; id++)
        add_thing(f->params, id);
    fixture_expect(db_run(f->db, &insert, f->params, NULL, NULL, &error), STATUS_OK, &error);
    fixture_expect(db_run(f->db, &select_all, NULL, read_wrong_type, NULL, &error), STATUS_INTERNAL, &error);
    assert_non_null(strstr(error.message, "column 2 is not of type int"));
    fixture_expect(db_run(f->db, &select_all, NULL, refuse_row, &rows, &error), STATUS_NOT_FOUND, &error);
    assert_int_equal(rows, 1);
    assert_int_equal(fixture_number(f->db, &count_all), 2);
}

/* ---- transactions ---- */

static enum status insert_one(struct fixture *f, int64_t id, struct error *error)
{
    db_params_reset(f->params);
    add_thing(f->params, id);
    return db_run(f->db, &insert, f->params, NULL, NULL, error);
}

static void test_db_commit_reports_the_first_failure_and_commits_nothing(void **state)
{
    struct fixture *f = with_table(state);
    struct error error = {0};
    enum status status;
    fixture_expect(insert_one(f, 1, &error), STATUS_OK, &error);
    fixture_expect(db_begin(f->db, &error), STATUS_OK, &error);
    fixture_expect(insert_one(f, 2, &error), STATUS_OK, &error);
    status = insert_one(f, 1, &error); /* PostgreSQL reports a failure later */
    fixture_expect(status, f->dialect == DB_SQLITE ? STATUS_ALREADY_EXISTS : STATUS_OK, &error);
    status = insert_one(f, 3, &error);
    fixture_expect(status, f->dialect == DB_SQLITE ? STATUS_ALREADY_EXISTS : STATUS_OK, &error);
    fixture_expect(db_commit(f->db, &error), STATUS_ALREADY_EXISTS, &error);
    assert_non_null(strstr(error.message, "insert_thing"));
    assert_int_equal(fixture_number(f->db, &count_all), 1);
}

static void test_db_after_a_failure_every_call_of_the_transaction_fails(void **state)
{
    struct fixture *f = with_table(state);
    struct error error = {0};
    int rows = 0;
    fixture_expect(db_begin(f->db, &error), STATUS_OK, &error);
    fixture_expect(insert_one(f, 1, &error), STATUS_OK, &error);
    fixture_expect(db_run(f->db, &broken, NULL, count_row, &rows, &error), STATUS_INTERNAL, &error);
    assert_non_null(strstr(error.message, "broken"));
    error_clear(&error);
    fixture_expect(db_run(f->db, &select_all, NULL, count_row, &rows, &error), STATUS_INTERNAL, &error);
    assert_non_null(strstr(error.message, "broken"));
    fixture_expect(db_run_script(f->db, "SELECT 1", &error), STATUS_INTERNAL, &error);
    db_rollback(f->db);
    assert_int_equal(rows, 0);
    assert_int_equal(fixture_number(f->db, &count_all), 0);
}

static void test_db_rollback_leaves_a_usable_connection(void **state)
{
    struct fixture *f = with_table(state);
    struct error error = {0};
    for (int round = 0; round < 3; round++) {
        fixture_expect(db_begin(f->db, &error), STATUS_OK, &error);
        fixture_expect(insert_one(f, 1, &error), STATUS_OK, &error);
        if (round == 1)
            assert_int_equal(fixture_number(f->db, &count_all), 1);
        db_rollback(f->db);
    }
    db_rollback(f->db); /* no effect without a transaction */
    fixture_expect(db_begin(f->db, &error), STATUS_OK, &error);
    fixture_expect(insert_one(f, 1, &error), STATUS_OK, &error);
    fixture_expect(db_commit(f->db, &error), STATUS_OK, &error);
    assert_int_equal(fixture_number(f->db, &count_all), 1);
}

static void test_db_other_connection_sees_only_what_is_committed(void **state)
{
    struct fixture *f = with_table(state);
    struct db *other = fixture_connect(f, DB_READ_ONLY);
    struct error error = {0};
    fixture_expect(db_begin(f->db, &error), STATUS_OK, &error);
    fixture_expect(insert_one(f, 1, &error), STATUS_OK, &error);
    assert_int_equal(fixture_number(f->db, &count_all), 1);
    assert_int_equal(fixture_number(other, &count_all), 0);
    fixture_expect(db_commit(f->db, &error), STATUS_OK, &error);
    assert_int_equal(fixture_number(other, &count_all), 1);
    db_close(other);
}

static void test_db_read_only_refuses_writes(void **state)
{
    struct fixture *f = with_table(state);
    struct db *other = fixture_connect(f, DB_READ_ONLY);
    struct error error = {0};
    add_thing(f->params, 1);
    fixture_expect(db_run(other, &insert, f->params, NULL, NULL, &error), STATUS_INTERNAL, &error);
    fixture_expect(db_begin(other, &error), STATUS_OK, &error);
    assert_int_equal(fixture_number(other, &count_all), 0);
    fixture_expect(db_commit(other, &error), STATUS_OK, &error);
    db_close(other);
}

static void test_db_calls_out_of_order_are_refused(void **state)
{
    struct fixture *f = with_table(state);
    struct error error = {0};
    fixture_expect(db_commit(f->db, &error), STATUS_INTERNAL, &error);
    fixture_expect(db_begin(f->db, &error), STATUS_OK, &error);
    fixture_expect(db_begin(f->db, &error), STATUS_INTERNAL, &error);
    fixture_expect(db_commit(f->db, &error), STATUS_OK, &error);
}

static void test_db_faulty_parameters_are_refused(void **state)
{
    struct fixture *f = with_table(state);
    struct error error = {0};
    add_thing(f->params, 1);
    db_params_int(f->params, 2);
    fixture_expect(db_run(f->db, &insert, f->params, NULL, NULL, &error), STATUS_INTERNAL, &error);
    db_params_end_row(f->params);
    fixture_expect(db_run(f->db, &insert, f->params, NULL, NULL, &error), STATUS_INTERNAL, &error);
    db_params_reset(f->params);
    db_params_text(f->params, "a");
    db_params_end_row(f->params);
    db_params_int(f->params, 1);
    db_params_end_row(f->params);
    fixture_expect(db_run(f->db, &insert, f->params, NULL, NULL, &error), STATUS_INTERNAL, &error);
    db_params_reset(f->params);
    db_params_int(f->params, 1);
    db_params_end_row(f->params);
    fixture_expect(db_run(f->db, &insert, f->params, NULL, NULL, &error), STATUS_INTERNAL, &error);
    assert_int_equal(fixture_number(f->db, &count_all), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_db_every_type_row_by_row_comes_back),
        TEST_BOTH(test_db_every_type_as_a_set_comes_back),
        TEST_BOTH(test_db_columns_of_nulls_only_are_inserted),
        TEST_BOTH(test_db_columns_of_nulls_only_as_a_set_are_inserted),
        TEST_BOTH(test_db_many_big_rows_both_ways_do_not_block),
        TEST_BOTH(test_db_set_of_keys_finds_the_rows_that_exist),
        TEST_BOTH(test_db_counting_returns_the_changed_rows),
        TEST_BOTH(test_db_row_read_wrongly_or_refused_ends_the_run),
        TEST_BOTH(test_db_commit_reports_the_first_failure_and_commits_nothing),
        TEST_BOTH(test_db_after_a_failure_every_call_of_the_transaction_fails),
        TEST_BOTH(test_db_rollback_leaves_a_usable_connection),
        TEST_BOTH(test_db_other_connection_sees_only_what_is_committed),
        TEST_BOTH(test_db_read_only_refuses_writes),
        TEST_BOTH(test_db_calls_out_of_order_are_refused),
        TEST_BOTH(test_db_faulty_parameters_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
