#include <pthread.h>
#include <string.h>

#include "base/unit_testing.h"
#include "db/db_testing.h"
#include "db/migrate.h"

enum { THREADS = 4 };

static const struct db_migration migrations[] = {
    {"initial", "CREATE TABLE a (id INTEGER); CREATE TABLE b (id INTEGER)",
     "CREATE TABLE a (id int8); CREATE TABLE b (id int8)"},
    {"second", "INSERT INTO a VALUES (1); CREATE TABLE c (id INTEGER)",
     "INSERT INTO a VALUES (1); CREATE TABLE c (id int8)"},
    {"third", "INSERT INTO a VALUES (2)", "INSERT INTO a VALUES (2)"},
};

static const struct db_migration failing[] = {
    {"initial", "CREATE TABLE a (id INTEGER)", "CREATE TABLE a (id int8)"},
    {"wrong", "INSERT INTO a VALUES (1); INSERT INTO nothing VALUES (1)",
     "INSERT INTO a VALUES (1); INSERT INTO nothing VALUES (1)"},
};

static const struct db_migration nowhere[] = {{"initial", NULL, NULL}};

static const struct db_statement count_a = {.name = "count_a", .sql = "SELECT count(*) FROM a"};
static const struct db_statement count_c = {.name = "count_c", .sql = "SELECT count(*) FROM c"};
static const struct db_statement count_versions = {.name = "count_versions",
                                                   .sql = "SELECT count(*) FROM schema_version"};
static const struct db_statement version_of_x = {
    .name = "version_of_x", .sql = "SELECT version FROM schema_version WHERE component = 'x'"};

static void test_migrate_fresh_database_gets_every_step_once(void **state)
{
    struct fixture *f = fixture_of(state);
    struct error error = {0};
    fixture_expect(db_migrate(f->db, "x", migrations, 1, &error), STATUS_OK, &error);
    assert_int_equal(fixture_number(f->db, &version_of_x), 1);
    for (int round = 0; round < 2; round++)
        fixture_expect(db_migrate(f->db, "x", migrations, 3, &error), STATUS_OK, &error);
    assert_int_equal(fixture_number(f->db, &version_of_x), 3);
    assert_int_equal(fixture_number(f->db, &count_a), 2);
    assert_int_equal(fixture_number(f->db, &count_c), 0);
    fixture_expect(db_migrate(f->db, "y", migrations, 0, &error), STATUS_OK, &error);
    assert_int_equal(fixture_number(f->db, &count_versions), 1);
}

static const struct db_migration renaming[] = {
    {"initial", "CREATE TABLE a (id INTEGER)", NULL},
    {"renamed", "ALTER TABLE a RENAME TO b", NULL},
};
static const struct db_statement count_databases = {.name = "count_databases",
                                                    .sql = "SELECT count(*) FROM pragma_database_list"};

static void test_migrate_leaves_no_temporary_database(void **state)
{
    struct fixture *f = fixture_of(state);
    struct error error = {0};
    fixture_expect(db_run_script(f->db, "CREATE TEMP TABLE c (id INTEGER); DROP TABLE c", &error), STATUS_OK,
                   &error);
    assert_int_equal(fixture_number(f->db, &count_databases), 2);
    fixture_expect(db_migrate(f->db, "x", renaming, 2, &error), STATUS_OK, &error);
    assert_int_equal(fixture_number(f->db, &count_databases), 1);
}

static void test_migrate_newer_database_is_refused(void **state)
{
    struct fixture *f = fixture_of(state);
    struct error error = {0};
    fixture_expect(db_migrate(f->db, "x", migrations, 3, &error), STATUS_OK, &error);
    fixture_expect(db_migrate(f->db, "x", migrations, 2, &error), STATUS_FAILED_PRECONDITION, &error);
    assert_non_null(strstr(error.message, "schema version 3 of x is newer"));
    assert_int_equal(fixture_number(f->db, &version_of_x), 3);
}

static void test_migrate_failing_step_leaves_nothing_of_itself(void **state)
{
    struct fixture *f = fixture_of(state);
    struct error error = {0};
    fixture_expect(db_migrate(f->db, "x", failing, 2, &error), STATUS_INTERNAL, &error);
    assert_non_null(strstr(error.message, "migration x 2 (wrong)"));
    assert_int_equal(fixture_number(f->db, &version_of_x), 1);
    assert_int_equal(fixture_number(f->db, &count_a), 0);
}

static void test_migrate_component_without_a_script_is_refused(void **state)
{
    struct fixture *f = fixture_of(state);
    struct error error = {0};
    fixture_expect(db_migrate(f->db, "x", nowhere, 1, &error), STATUS_INVALID_ARGUMENT, &error);
    assert_int_equal(fixture_number(f->db, &count_versions), 0);
}

struct racer {
    pthread_t thread;
    struct db *db;
    const char *owner;
    enum status status;
    struct error error;
};

static void *race(void *context)
{
    struct racer *racer = context;
    racer->status = db_migrate(racer->db, "x", migrations, 3, &racer->error);
    return NULL;
}

static void test_migrate_several_at_once_apply_each_step_once(void **state)
{
    struct fixture *f = fixture_of(state);
    struct racer racers[THREADS] = {0};
    for (int i = 0; i < THREADS; i++)
        racers[i].db = fixture_connect(f, DB_READ_WRITE);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(racers[i].thread, NULL);
    for (int i = 0; i < THREADS; i++) {
        fixture_expect(racers[i].status, STATUS_OK, &racers[i].error);
        db_close(racers[i].db);
    }
    assert_int_equal(fixture_number(f->db, &version_of_x), 3);
    assert_int_equal(fixture_number(f->db, &count_a), 2);
}

/* ---- db_claim ---- */

static void test_claim_database_of_another_service_is_refused(void **state)
{
    struct fixture *f = fixture_of(state);
    struct error error = {0};
    fixture_expect(db_claim(f->db, "booking", &error), STATUS_OK, &error);
    fixture_expect(db_migrate(f->db, "events", migrations, 1, &error), STATUS_OK, &error);
    fixture_expect(db_claim(f->db, "hospital", &error), STATUS_FAILED_PRECONDITION, &error);
    assert_string_equal(error.message,
                        "database: it is the database of booking-svc; hospital-svc needs one of its own");
    fixture_expect(db_claim(f->db, "booking", &error), STATUS_OK, &error);
    assert_int_equal(fixture_number(f->db, &count_versions), 2);
}

/* Versions without db_claim migrated "events" first, so their databases may record only "events". */
static void test_claim_of_a_database_from_before_claims_is_accepted(void **state)
{
    struct fixture *f = fixture_of(state);
    struct error error = {0};
    fixture_expect(db_migrate(f->db, "events", migrations, 1, &error), STATUS_OK, &error);
    fixture_expect(db_claim(f->db, "x", &error), STATUS_OK, &error);
    assert_int_equal(fixture_number(f->db, &version_of_x), 0);
    fixture_expect(
        db_run_script(f->db, "DROP TABLE a; DROP TABLE b; UPDATE schema_version SET version = 7", &error),
        STATUS_OK, &error);
    fixture_expect(db_claim(f->db, "x", &error), STATUS_OK, &error);
    assert_int_equal(fixture_number(f->db, &version_of_x), 7);
}

static void test_claim_file_of_another_program_is_refused(void **state)
{
    struct fixture *f = fixture_of(state);
    struct error error = {0};
    fixture_expect(db_run_script(f->db, "CREATE TABLE bookmarks (url TEXT)", &error), STATUS_OK, &error);
    fixture_expect(db_claim(f->db, "booking", &error), STATUS_FAILED_PRECONDITION, &error);
    assert_non_null(strstr(error.message, "another program"));
    fixture_expect(db_run(f->db, &count_versions, NULL, NULL, NULL, &error), STATUS_INTERNAL, &error);
}

static void *claim(void *context)
{
    struct racer *racer = context;
    racer->status = db_claim(racer->db, racer->owner, &racer->error);
    return NULL;
}

static void test_claim_several_at_once_one_owner_wins(void **state)
{
    static const char *const owners[THREADS] = {"booking", "hospital", "booking", "hospital"};
    struct fixture *f = fixture_of(state);
    struct racer racers[THREADS] = {0};
    int won = 0;
    for (int i = 0; i < THREADS; i++) {
        racers[i].db = fixture_connect(f, DB_READ_WRITE);
        racers[i].owner = owners[i];
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&racers[i].thread, NULL, claim, &racers[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(racers[i].thread, NULL);
    for (int i = 0; i < THREADS; i++) {
        won += racers[i].status == STATUS_OK;
        assert_int_equal(racers[i].status, racers[(i + 2) % THREADS].status);
        db_close(racers[i].db);
    }
    assert_int_equal(won, THREADS / 2);
    assert_int_equal(fixture_number(f->db, &count_versions), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_migrate_fresh_database_gets_every_step_once),
        TEST_SQLITE(test_migrate_leaves_no_temporary_database),
        TEST_BOTH(test_migrate_newer_database_is_refused),
        TEST_BOTH(test_migrate_failing_step_leaves_nothing_of_itself),
        TEST_BOTH(test_migrate_component_without_a_script_is_refused),
        TEST_POSTGRESQL(
            test_migrate_several_at_once_apply_each_step_once), /* a SQLite file has a single writer */
        TEST_BOTH(test_claim_database_of_another_service_is_refused),
        TEST_BOTH(test_claim_of_a_database_from_before_claims_is_accepted),
        TEST_SQLITE(test_claim_file_of_another_program_is_refused),
        TEST_POSTGRESQL(test_claim_several_at_once_one_owner_wins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
