/* Tests migrations of hospital-svc's tables that change a database of an earlier version. */
#include "store.h"

#include <stdio.h>
#include <string.h>

#include "base/unit_testing.h"
#include "db/db_testing.h"

enum { BEFORE_RANGE = 5, RANGE = 6 }; /* versions of the schema */

static const struct db_statement COUNT_RESERVATIONS = {
    .name = "test_count_reservations",
    .sql = "SELECT count(*) FROM reservation WHERE state BETWEEN 1 AND 3",
};
static const struct db_statement COUNT_DAMAGE = {
    .name = "test_count_damage",
    .sql = "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
};
static const struct db_statement COUNT_VIEWS = {
    .name = "test_count_views",
    .sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'view'",
};
static const struct db_statement INSERT_RESERVATION = {
    .name = "test_insert_reservation",
    .sql = "INSERT INTO reservation (booking_id, hospital_id, date, headcount, state)"
           " VALUES ($1, $1, $2, 1, $3)",
};
/*
 * The program of an insert. Each of these statements is prepared once, by the schema that the connection
 * knows then.
 */
#define EXPLAIN_INSERT                                                                                       \
    {                                                                                                        \
        .name = "test_explain_insert",                                                                       \
        .sql = "EXPLAIN INSERT INTO reservation (booking_id, hospital_id, date, headcount, state)"           \
               " VALUES ('', '', '', 1, 1)"                                                                  \
    }
enum { EXPLAINED = 3 };
static const struct db_statement EXPLAIN_INSERTS[EXPLAINED] = {EXPLAIN_INSERT, EXPLAIN_INSERT,
                                                               EXPLAIN_INSERT};

static void migrate(struct fixture *fixture, size_t version)
{
    struct error error = {0};
    fixture_expect(db_migrate(fixture->db, "hospital", HOSPITAL_MIGRATIONS, version, &error), STATUS_OK,
                   &error);
}

/* Inserts a reservation whose id begins with `number`. */
static enum status insert(struct db *db, uint8_t number, int64_t state)
{
    struct error error = {0};
    const struct uuid id = {{number}};
    return db_run(db, &INSERT_RESERVATION, DB_ROW(db_uuid(&id), db_date(20000), db_int(state)), NULL, NULL,
                  &error);
}

static enum status count_temporary(void *context, const struct db_row *row)
{
    *(int *)context += strcmp(db_row_text(row, 1), "OpenEphemeral") == 0;
    return STATUS_OK;
}

/*
 * Returns how many temporary b-trees SQLite fills when the connection inserts a reservation. `number` differs
 * in each call for a connection.
 */
static int temporary_trees(struct db *db, int number)
{
    int count = 0;
    struct error error = {0};
    assert_true(fixture_number(db, &COUNT_RESERVATIONS) >=
                0); /* SQLite notices here that the schema changed */
    fixture_expect(db_run(db, &EXPLAIN_INSERTS[number], NULL, count_temporary, &count, &error), STATUS_OK,
                   &error);
    return count;
}

static void expect_states_checked(struct db *db, uint8_t first_id)
{
    for (int64_t state = -1; state <= 5; state++)
        assert_int_equal(insert(db, (uint8_t)(first_id + state), state),
                         state >= 1 && state <= 3 ? STATUS_OK : STATUS_INTERNAL);
}

static void test_migration_of_the_range_of_states_keeps_rows_and_constraint(void **state)
{
    struct fixture *f = fixture_of(state);
    migrate(f, BEFORE_RANGE);
    expect_states_checked(f->db, 10);
    migrate(f, RANGE);
    assert_int_equal(fixture_number(f->db, &COUNT_RESERVATIONS), 3);
    expect_states_checked(f->db, 20);
    assert_int_equal(fixture_number(f->db, &COUNT_RESERVATIONS), 6);
}

static void test_migration_of_the_range_of_states_reaches_open_connections(void **state)
{
    struct fixture *f = fixture_of(state);
    migrate(f, BEFORE_RANGE);
    struct db *reader = fixture_connect(f, DB_READ_ONLY);
    assert_int_equal(temporary_trees(f->db, 0), 1);
    assert_int_equal(temporary_trees(reader, 0), 1);
    migrate(f, RANGE);
    assert_int_equal(temporary_trees(f->db, 1), 0);
    assert_int_equal(temporary_trees(reader, 1), 0);
    assert_int_equal(fixture_number(f->db, &COUNT_DAMAGE), 0);
    assert_int_equal(fixture_number(f->db, &COUNT_VIEWS), 0);
    db_close(reader);
}

static void test_migration_of_the_range_of_states_rolled_back_leaves_the_list(void **state)
{
    struct fixture *f = fixture_of(state);
    struct error error = {0};
    migrate(f, BEFORE_RANGE);
    fixture_expect(db_begin(f->db, &error), STATUS_OK, &error);
    fixture_expect(db_run_script(f->db, HOSPITAL_MIGRATIONS[RANGE - 1].sqlite, &error), STATUS_OK, &error);
    assert_int_equal(temporary_trees(f->db, 0), 0);
    db_rollback(f->db);
    assert_int_equal(temporary_trees(f->db, 1), 1);
    expect_states_checked(f->db, 10);
    migrate(f, RANGE);
    assert_int_equal(temporary_trees(f->db, 2), 0);
    expect_states_checked(f->db, 20);
}

/* After the migration nobody can change the schema's text by mistake. */
static void test_migration_of_the_range_of_states_ends_writing_to_the_schema(void **state)
{
    struct fixture *f = fixture_of(state);
    struct error error = {0};
    migrate(f, RANGE);
    assert_int_equal(db_run_script(f->db, "UPDATE sqlite_schema SET sql = ''", &error), STATUS_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_migration_of_the_range_of_states_keeps_rows_and_constraint),
        TEST_SQLITE(test_migration_of_the_range_of_states_reaches_open_connections),
        TEST_SQLITE(test_migration_of_the_range_of_states_rolled_back_leaves_the_list),
        TEST_SQLITE(test_migration_of_the_range_of_states_ends_writing_to_the_schema),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
