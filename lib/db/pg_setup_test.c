/* Tests the settings of a session, and how sessions without these settings are handled. */
#include <stdio.h>
#include <string.h>

#include "base/unit_testing.h"
#include "db/db_testing.h"
#include "db/pg.h"

static const struct db_statement commit_rank = {
    .name = "commit_rank",
    .sql = "SELECT array_position(ARRAY['off', 'local', 'remote_write', 'on', 'remote_apply'],"
           " current_setting('synchronous_commit'))::int8"};
static const struct db_statement statement_timeout_ms = {
    .name = "statement_timeout_ms",
    .sql = "SELECT setting::int8 FROM pg_settings WHERE name = 'statement_timeout'"};
static const struct db_statement one = {.name = "one", .sql = "SELECT 1::int8"};

enum { ON = 4, REMOTE_APPLY = 5 };

/* Changes the database's default for new sessions. `value` is the SET or RESET clause of ALTER DATABASE. */
static void preset_commit(struct fixture *f, const char *value)
{
    char script[160];
    struct error error = {0};
    snprintf(script, sizeof script,
             "DO $$ BEGIN EXECUTE format('ALTER DATABASE %%I %s', current_database()); END $$", value);
    fixture_expect(db_run_script(f->db, script, &error), STATUS_OK, &error);
}

static void expect_commit(struct fixture *f, const char *preset, int64_t rank)
{
    struct db *db;
    preset_commit(f, preset);
    db = fixture_connect(f, DB_READ_WRITE);
    assert_int_equal(fixture_number(db, &commit_rank), rank);
    db_close(db);
}

static void test_setup_commits_are_synced_and_never_weaker_than_the_server_wants(void **state)
{
    struct fixture *f = fixture_of(state);
    expect_commit(f, "SET synchronous_commit = off", ON);
    expect_commit(f, "SET synchronous_commit = local", ON);
    expect_commit(f, "SET synchronous_commit = remote_write", ON);
    expect_commit(f, "SET synchronous_commit = on", ON);
    expect_commit(f, "SET synchronous_commit = remote_apply", REMOTE_APPLY);
    preset_commit(f, "RESET synchronous_commit");
}

static void test_setup_a_script_leaves_the_timeout_as_it_was(void **state)
{
    struct fixture *f = fixture_of(state);
    struct error error = {0};
    assert_int_equal(fixture_number(f->db, &statement_timeout_ms), 5000);
    fixture_expect(db_run_script(f->db, "SELECT 1", &error), STATUS_OK, &error);
    assert_int_equal(fixture_number(f->db, &statement_timeout_ms), 5000);
    fixture_expect(db_run_script(f->db, "SELECT 1 / 0", &error), STATUS_INTERNAL, &error);
    assert_int_equal(fixture_number(f->db, &statement_timeout_ms), 5000);
}

/* Simulates a pooler that runs the transaction in another session. */
static void test_setup_a_transaction_in_another_session_fails(void **state)
{
    struct fixture *f = fixture_of(state);
    struct pg *pg = (struct pg *)f->db;
    struct error error = {0};
    char other[16];
    char *number;
    snprintf(other, sizeof other, "<> %d THEN", pg->backend);
    number = strstr(pg->guard, other);
    assert_non_null(number);
    number[strlen("<> ")] = number[strlen("<> ")] == '9' ? '8' : '9';
    pg->pooled = true;
    fixture_expect(db_begin(f->db, &error), STATUS_OK, &error);
    fixture_expect(db_run(f->db, &one, NULL, NULL, NULL, &error), STATUS_OK, &error);
    fixture_expect(db_commit(f->db, &error), STATUS_UNAVAILABLE, &error);
    assert_null(pg->connection); /* the next connection is set up again */
    assert_int_equal(fixture_number(f->db, &one), 1);
}

static void test_setup_a_session_that_is_not_as_it_must_be_is_refused_again_and_again(void **state)
{
    struct fixture *f = fixture_of(state);
    struct pg *pg = (struct pg *)f->db;
    struct error error = {0};
    snprintf(pg->schema, sizeof pg->schema, "no_such_schema");
    pg_session_drop(pg);
    for (int i = 0; i < 2; i++) {
        fixture_expect(db_begin(f->db, &error), STATUS_UNAVAILABLE, &error);
        assert_string_equal(error.reason, DB_UNSUITABLE);
    }
    snprintf(pg->schema, sizeof pg->schema, "%s", f->schema);
    pg->next_attempt_ns = 0;
    assert_int_equal(fixture_number(f->db, &one), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_POSTGRESQL(test_setup_commits_are_synced_and_never_weaker_than_the_server_wants),
        TEST_POSTGRESQL(test_setup_a_script_leaves_the_timeout_as_it_was),
        TEST_POSTGRESQL(test_setup_a_transaction_in_another_session_fails),
        TEST_POSTGRESQL(test_setup_a_session_that_is_not_as_it_must_be_is_refused_again_and_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
