/* Tests when a caller must read cached rows again. */
#include <sqlite3.h>
#include <string.h>

#include "base/unit_testing.h"
#include "db/db_testing.h"

static const struct db_statement add = {.name = "add_thing", .sql = "INSERT INTO thing VALUES (1)"};

static void make_table(struct fixture *f)
{
    struct error error = {0};
    fixture_expect(db_run_script(f->db, "CREATE TABLE thing (content integer)", &error), STATUS_OK, &error);
}

static void begin(struct db *db)
{
    struct error error = {0};
    fixture_expect(db_begin(db, &error), STATUS_OK, &error);
}

static void add_thing(struct db *db)
{
    struct error error = {0};
    fixture_expect(db_run(db, &add, NULL, NULL, NULL, &error), STATUS_OK, &error);
}

static void commit(struct db *db)
{
    struct error error = {0};
    fixture_expect(db_commit(db, &error), STATUS_OK, &error);
}

static void add_thing_from_outside(const struct fixture *f)
{
    sqlite3 *other;
    assert_int_equal(sqlite3_open(f->url + strlen("sqlite:"), &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, add.sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
}

/* Returns the stamp of a transaction that changes nothing. */
static uint64_t stamp_of(struct db *db)
{
    uint64_t stamp;
    begin(db);
    stamp = db_stamp(db);
    commit(db);
    return stamp;
}

static void test_stamp_stays_while_this_connection_alone_commits(void **state)
{
    struct fixture *f = fixture_of(state);
    uint64_t stamp;
    make_table(f);
    stamp = stamp_of(f->db);
    assert_true(stamp != 0);
    begin(f->db);
    add_thing(f->db);
    assert_int_equal(db_stamp(f->db), stamp);
    commit(f->db);
    assert_int_equal(db_stamp(f->db), 0);
    assert_int_equal(stamp_of(f->db), stamp);
}

static void test_stamp_is_another_after_what_may_have_changed_a_row(void **state)
{
    struct fixture *f = fixture_of(state);
    uint64_t stamp, before;
    make_table(f);
    stamp = stamp_of(f->db);
    add_thing_from_outside(f);
    before = stamp;
    stamp = stamp_of(f->db);
    assert_true(stamp != before);

    add_thing(f->db); /* outside a transaction */
    before = stamp;
    stamp = stamp_of(f->db);
    assert_true(stamp != before);

    begin(f->db);
    add_thing(f->db);
    db_rollback(f->db);
    before = stamp;
    stamp = stamp_of(f->db);
    assert_true(stamp != before);

    begin(f->db);
    db_restamp(f->db);
    assert_true(db_stamp(f->db) != stamp);
    commit(f->db);
    assert_true(stamp_of(f->db) != stamp);
}

static void test_stamp_of_another_connection_is_another(void **state)
{
    struct fixture *f = fixture_of(state);
    struct error error = {0};
    uint64_t stamp = stamp_of(f->db);
    db_close(f->db);
    fixture_expect(db_open(f->url, DB_READ_WRITE, &f->db, &error), STATUS_OK, &error);
    assert_true(stamp_of(f->db) != stamp);
}

static void test_stamp_of_postgresql_is_not_known(void **state)
{
    struct fixture *f = fixture_of(state);
    db_restamp(f->db);
    assert_int_equal(stamp_of(f->db), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_SQLITE(test_stamp_stays_while_this_connection_alone_commits),
        TEST_SQLITE(test_stamp_is_another_after_what_may_have_changed_a_row),
        TEST_SQLITE(test_stamp_of_another_connection_is_another),
        TEST_POSTGRESQL(test_stamp_of_postgresql_is_not_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
