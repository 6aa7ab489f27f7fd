/* Tests what is specific to PostgreSQL: lost connections, unknown commits, timeouts, refused connections. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/unit_testing.h"
#include "db/db_testing.h"

enum { DEADLINE_MS = 10000, PAUSE_MS = 10, PATH_SIZE = 192 };

static const struct db_statement insert = {.name = "insert_thing",
                                           .sql = "INSERT INTO thing (id) VALUES ($1)"};
static const struct db_statement insert_parent = {
    .name = "insert_parent", .sql = "INSERT INTO thing (id, parent) VALUES ($1, $1 + 1)"};
static const struct db_statement count_all = {.name = "count_things", .sql = "SELECT count(*) FROM thing"};
static const struct db_statement broken = {.name = "broken", .sql = "INSERT INTO nothing (id) VALUES (1)"};
static const struct db_statement own_pid = {.name = "own_pid", .sql = "SELECT pg_backend_pid()"};
static const struct db_statement kill_backend = {.name = "kill_backend",
                                                 .sql = "SELECT pg_terminate_backend($1::int)"};
static const struct db_statement kill_itself = {.name = "kill_itself",
                                                .sql = "SELECT pg_terminate_backend(pg_backend_pid())"};
static const struct db_statement is_alive = {
    .name = "is_alive", .sql = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1::int"};
static const struct db_statement sleep_long = {.name = "sleep_long", .sql = "SELECT pg_sleep(4)"};
static const struct db_statement lock_all = {.name = "lock_all",
                                             .sql = "LOCK TABLE thing IN ACCESS EXCLUSIVE MODE"};
static const struct db_statement lock_timeout_ms = {
    .name = "lock_timeout_ms", .sql = "SELECT setting::int8 FROM pg_settings WHERE name = 'lock_timeout'"};
static const struct db_statement divide = {.name = "divide", .sql = "SELECT ($1::text)::int8"};

static struct fixture *with_table(void **state)
{
    struct fixture *f = fixture_of(state);
    struct error error = {0};
    enum status status = db_run_script(f->db,
                                       "CREATE TABLE thing (id int8 PRIMARY KEY,"
                                       " parent int8 REFERENCES thing DEFERRABLE INITIALLY DEFERRED)",
                                       &error);
    fixture_expect(status, STATUS_OK, &error);
    return f;
}

static void set_int(struct fixture *f, int64_t number)
{
    db_params_reset(f->params);
    db_params_int(f->params, number);
    db_params_end_row(f->params);
}

static enum status insert_one(struct fixture *f, int64_t id, struct error *error)
{
    set_int(f, id);
    return db_run(f->db, &insert, f->params, NULL, NULL, error);
}

static enum status take_number(void *context, const struct db_row *row)
{
    *(int64_t *)context = db_row_int(row, 0);
    return STATUS_OK;
}

/* Waits until the backend has ended. */
static void await_end(struct fixture *f, struct db *other, int64_t pid)
{
    int64_t deadline_ns = clock_monotonic_ns() + (int64_t)DEADLINE_MS * NS_PER_MS;
    struct error error = {0};
    int64_t alive = 1;
    while (alive != 0) {
        set_int(f, pid);
        fixture_expect(db_run(other, &is_alive, f->params, take_number, &alive, &error), STATUS_OK, &error);
        assert_true(clock_monotonic_ns() < deadline_ns);
        poll(NULL, 0, PAUSE_MS);
    }
}

/* Ends the session of `db` from another session. */
static void end_session(struct fixture *f, struct db *db)
{
    struct db *other = fixture_connect(f, DB_READ_WRITE);
    int64_t pid = fixture_number(db, &own_pid);
    struct error error = {0};
    set_int(f, pid);
    fixture_expect(db_run(other, &kill_backend, f->params, NULL, NULL, &error), STATUS_OK, &error);
    await_end(f, other, pid);
    db_close(other);
}

/* ---- losing the connection ---- */

static void test_postgresql_session_ended_between_transactions_is_replaced(void **state)
{
    struct fixture *f = with_table(state);
    struct error error = {0};
    fixture_expect(insert_one(f, 1, &error), STATUS_OK, &error);
    end_session(f, f->db);
    fixture_expect(db_begin(f->db, &error), STATUS_OK, &error);
    fixture_expect(insert_one(f, 2, &error), STATUS_OK, &error);
    fixture_expect(db_commit(f->db, &error), STATUS_OK, &error);
    end_session(f, f->db);
    fixture_expect(insert_one(f, 3, &error), STATUS_OK, &error);
    assert_int_equal(fixture_number(f->db, &count_all), 3);
}

static void test_postgresql_session_ended_in_a_transaction_is_unavailable(void **state)
{
    struct fixture *f = with_table(state);
    struct error error = {0};
    fixture_expect(db_begin(f->db, &error), STATUS_OK, &error);
    fixture_expect(insert_one(f, 1, &error), STATUS_OK, &error);
    fixture_expect(db_run(f->db, &kill_itself, NULL, take_number, &(int64_t){0}, &error), STATUS_UNAVAILABLE,
                   &error);
    fixture_expect(insert_one(f, 2, &error), STATUS_UNAVAILABLE, &error);
    fixture_expect(db_commit(f->db, &error), STATUS_UNAVAILABLE, &error);
    assert_int_equal(fixture_number(f->db, &count_all), 0);
}

static void test_postgresql_session_ended_by_an_earlier_statement_was_not_committed(void **state)
{
    struct fixture *f = with_table(state);
    struct error error = {0};
    fixture_expect(db_begin(f->db, &error), STATUS_OK, &error);
    fixture_expect(insert_one(f, 1, &error), STATUS_OK, &error);
    fixture_expect(db_run(f->db, &kill_itself, NULL, NULL, NULL, &error), STATUS_OK, &error);
    fixture_expect(db_commit(f->db, &error), STATUS_UNAVAILABLE, &error);
    assert_non_null(strstr(error.message, "kill_itself"));
    assert_int_equal(fixture_number(f->db, &count_all), 0);
}

static void test_postgresql_session_ended_during_commit_is_unknown(void **state)
{
    struct fixture *f = with_table(state);
    struct error error = {0};
    const char *script = "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS"
                         " $$BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END$$;"
                         "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON thing DEFERRABLE INITIALLY DEFERRED"
                         " FOR EACH ROW EXECUTE FUNCTION die()";

    fixture_expect(db_run_script(f->db, script, &error), STATUS_OK, &error);
    fixture_expect(db_begin(f->db, &error), STATUS_OK, &error);
    fixture_expect(insert_one(f, 1, &error), STATUS_OK, &error);
    fixture_expect(db_commit(f->db, &error), STATUS_UNKNOWN, &error);
    fixture_expect(db_begin(f->db, &error), STATUS_OK, &error);
    assert_int_equal(fixture_number(f->db, &count_all), 0);
    db_rollback(f->db);
}

static void test_postgresql_commit_refused_by_a_constraint_is_known(void **state)
{
    struct fixture *f = with_table(state);
    struct error error = {0};
    fixture_expect(db_begin(f->db, &error), STATUS_OK, &error);
    set_int(f, 1);
    fixture_expect(db_run(f->db, &insert_parent, f->params, NULL, NULL, &error), STATUS_OK, &error);
    fixture_expect(db_commit(f->db, &error), STATUS_INTERNAL, &error);
    assert_non_null(strstr(error.message, "23503"));
    assert_int_equal(fixture_number(f->db, &count_all), 0);
}

static void test_postgresql_statement_behind_a_failure_is_prepared_later(void **state)
{
    struct fixture *f = with_table(state);
    struct error error = {0};
    fixture_expect(db_begin(f->db, &error), STATUS_OK, &error);
    fixture_expect(db_run(f->db, &broken, NULL, NULL, NULL, &error), STATUS_OK, &error);
    fixture_expect(insert_one(f, 1, &error), STATUS_OK, &error);
    fixture_expect(db_commit(f->db, &error), STATUS_INTERNAL, &error);
    fixture_expect(insert_one(f, 1, &error), STATUS_OK, &error);
    assert_int_equal(fixture_number(f->db, &count_all), 1);
}

static void test_postgresql_rollback_and_failure_keep_the_session(void **state)
{
    struct fixture *f = with_table(state);
    int64_t pid = fixture_number(f->db, &own_pid);
    struct error error = {0};
    for (int round = 0; round < 4; round++) {
        fixture_expect(db_begin(f->db, &error), STATUS_OK, &error);
        fixture_expect(insert_one(f, 1, &error), STATUS_OK, &error);
        if (round >= 2)
            fixture_expect(db_run(f->db, &broken, NULL, NULL, NULL, &error), STATUS_OK, &error);
        if (round == 1)
            assert_int_equal(fixture_number(f->db, &count_all), 1);
        if (round == 3)
            fixture_expect(db_commit(f->db, &error), STATUS_INTERNAL, &error);
        db_rollback(f->db);
    }
    fixture_expect(db_run(f->db, &broken, NULL, NULL, NULL, &error), STATUS_INTERNAL, &error);
    fixture_expect(db_run_script(f->db, "INSERT INTO nothing VALUES (1)", &error), STATUS_INTERNAL, &error);
    assert_int_equal(fixture_number(f->db, &count_all), 0);
    assert_int_equal(fixture_number(f->db, &own_pid), pid);
}

/* ---- timeouts ---- */

static struct db *connect_with(const struct fixture *f, const char *option)
{
    struct fixture other = *f;
    size_t length = strlen(f->url);
    snprintf(other.url + length, sizeof other.url - length, "%coptions=-c%%20%s",
             strchr(f->url, '?') == NULL ? '?' : '&', option);
    return fixture_connect(&other, DB_READ_WRITE);
}

static void test_postgresql_slow_statement_is_deadline_exceeded_but_a_script_is_not(void **state)
{
    struct fixture *f = with_table(state);
    struct db *db = connect_with(f, "statement_timeout%3D1000");
    struct error error = {0};
    fixture_expect(db_run(db, &sleep_long, NULL, NULL, NULL, &error), STATUS_DEADLINE_EXCEEDED, &error);
    fixture_expect(db_run_script(db, "SELECT pg_sleep(1.3); SELECT 1", &error), STATUS_OK, &error);
    fixture_expect(db_begin(db, &error), STATUS_OK, &error);
    fixture_expect(db_run_script(db, "SELECT pg_sleep(1.3)", &error), STATUS_OK, &error);
    fixture_expect(db_run(db, &sleep_long, NULL, NULL, NULL, &error), STATUS_OK, &error);
    fixture_expect(db_commit(db, &error), STATUS_DEADLINE_EXCEEDED, &error);
    db_close(db);
}

static void test_postgresql_lock_held_by_another_is_deadline_exceeded(void **state)
{
    struct fixture *f = with_table(state);
    struct db *db = connect_with(f, "lock_timeout%3D100");
    struct error error = {0};
    fixture_expect(db_begin(f->db, &error), STATUS_OK, &error);
    assert_int_equal(fixture_number(f->db, &count_all), 0);
    fixture_expect(db_run(db, &lock_all, NULL, NULL, NULL, &error), STATUS_INTERNAL,
                   &error); /* LOCK TABLE needs a transaction */
    fixture_expect(db_begin(db, &error), STATUS_OK, &error);
    fixture_expect(db_run(db, &lock_all, NULL, take_number, &(int64_t){0}, &error), STATUS_DEADLINE_EXCEEDED,
                   &error);
    db_rollback(db);
    db_rollback(f->db);
    db_close(db);
}

static void test_postgresql_session_waits_two_seconds_for_a_lock(void **state)
{
    struct fixture *f = fixture_of(state);
    assert_int_equal(fixture_number(f->db, &lock_timeout_ms), 2000);
}

static void test_postgresql_idle_transaction_is_ended_by_the_server(void **state)
{
    struct fixture *f = with_table(state);
    struct db *other = fixture_connect(f, DB_READ_ONLY);
    struct error error = {0};
    fixture_expect(db_begin(f->db, &error), STATUS_OK, &error);
    fixture_expect(insert_one(f, 1, &error), STATUS_OK, &error);
    await_end(f, other, fixture_number(f->db, &own_pid));
    fixture_expect(db_commit(f->db, &error), STATUS_UNKNOWN, &error);
    assert_int_equal(fixture_number(f->db, &count_all), 0);
    db_close(other);
}

/* ---- connecting ---- */

static void test_postgresql_failures_do_not_quote_values(void **state)
{
    struct fixture *f = with_table(state);
    struct error error = {0};
    db_params_text(f->params, "Hong Gil-dong");
    db_params_end_row(f->params);
    fixture_expect(db_run(f->db, &divide, f->params, NULL, NULL, &error), STATUS_INTERNAL, &error);
    assert_null(strstr(error.message, "Hong"));
    assert_non_null(strstr(error.message, "22P02"));
}

static void expect_open(const char *url, enum status expected)
{
    struct db *db = NULL;
    struct error error = {0};
    fixture_expect(db_open(url, DB_READ_WRITE, &db, &error), expected, &error);
    assert_null(db);
    assert_null(strstr(error.message, "secret"));
    assert_null(strchr(error.message, '\n'));
    assert_int_equal(strncmp(error.message, "database: ", strlen("database: ")), 0);
    assert_int_equal(error.status, expected);
}

static void test_postgresql_server_not_there_yet_is_unavailable(void **state)
{
    (void)state;
    expect_open("postgresql://me:secret@/db?host=/nonexistent", STATUS_UNAVAILABLE);
    expect_open("postgresql://me:secret@127.0.0.1:1/db", STATUS_UNAVAILABLE);
    expect_open("postgresql://me:secret@no-such-host.invalid/db", STATUS_UNAVAILABLE);
}

static void test_postgresql_options_that_libpq_does_not_know_are_refused(void **state)
{
    (void)state;
    expect_open("postgresql://me:secret@127.0.0.1/db?sslmode=perhaps", STATUS_INVALID_ARGUMENT);
    expect_open("postgresql://me:secret@127.0.0.1/db?connect_timeout=soon", STATUS_INVALID_ARGUMENT);
    expect_open("postgresql://me:secret@127.0.0.1:99999/db", STATUS_INVALID_ARGUMENT);
}

static void test_postgresql_refused_login_or_database_is_invalid(void **state)
{
    struct fixture *f = fixture_of(state);
    const struct fixture_place place = fixture_find_place(f);
    char url[FIXTURE_URL_SIZE];
    snprintf(url, sizeof url, "postgresql://nobody_known:secret@/%s?host=%s&port=%s", place.database,
             place.folder, place.port);
    expect_open(url, STATUS_INVALID_ARGUMENT);
    snprintf(url, sizeof url, "postgresql://%s:secret@/nothing_known?host=%s&port=%s", place.user,
             place.folder, place.port);
    expect_open(url, STATUS_INVALID_ARGUMENT);
    snprintf(url, sizeof url, "postgresql://%s:secret@/nothing_known?host=%s,/nonexistent&port=%s",
             place.user, place.folder, place.port);
    expect_open(url, STATUS_UNAVAILABLE);
    expect_open("postgresql://me:secret@127.0.0.1,127.0.0.2/db?sslmode=perhaps", STATUS_INVALID_ARGUMENT);
}

static void test_postgresql_second_host_is_used_when_the_first_is_down(void **state)
{
    struct fixture *f = fixture_of(state);
    const struct fixture_place place = fixture_find_place(f);
    char url[FIXTURE_URL_SIZE];
    struct db *db = NULL;
    struct error error = {0};
    snprintf(url, sizeof url,
             "postgresql://%s@/%s?host=/nonexistent,%s&port=%s&target_session_attrs=read-write", place.user,
             place.database, place.folder, place.port);
    fixture_expect(db_open(url, DB_READ_ONLY, &db, &error), STATUS_OK, &error);
    assert_true(fixture_number(db, &own_pid) > 0);
    db_close(db);
}

/* Connects through a symlink to the server's socket, and removes the symlink. */
static void test_postgresql_server_away_backs_off_and_comes_back(void **state)
{
    struct fixture *f = with_table(state);
    const struct fixture_place place = fixture_find_place(f);
    struct fixture away = *f;
    char folder[] = "/tmp/pg_test.XXXXXX";
    char target[PATH_SIZE + 32];
    char link[PATH_SIZE];
    int64_t deadline_ns;
    struct error error = {0};
    assert_non_null(mkdtemp(folder));
    snprintf(target, sizeof target, "%s/.s.PGSQL.%s", place.folder, place.port);
    snprintf(link, sizeof link, "%s/.s.PGSQL.%s", folder, place.port);
    assert_int_equal(symlink(target, link), 0);
    snprintf(away.url, sizeof away.url, "postgresql://%s@/%s?host=%s&port=%s", place.user, place.database,
             folder, place.port);
    away.db = fixture_connect(&away, DB_READ_WRITE);
    unlink(link);
    end_session(f, away.db);
    fixture_expect(db_begin(away.db, &error), STATUS_UNAVAILABLE, &error);
    fixture_expect(db_begin(away.db, &error), STATUS_UNAVAILABLE, &error);
    assert_string_equal(error.message, "the database is not reachable");
    assert_in_range(error.retry_after_ms, 1, 200);
    assert_int_equal(symlink(target, link), 0);
    deadline_ns = clock_monotonic_ns() + (int64_t)DEADLINE_MS * NS_PER_MS;
    while (db_begin(away.db, &error) != STATUS_OK) {
        assert_true(clock_monotonic_ns() < deadline_ns);
        poll(NULL, 0, PAUSE_MS);
    }
    assert_int_equal(fixture_number(away.db, &count_all), 0);
    db_close(away.db);
    unlink(link);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_POSTGRESQL(test_postgresql_session_ended_between_transactions_is_replaced),
        TEST_POSTGRESQL(test_postgresql_session_ended_in_a_transaction_is_unavailable),
        TEST_POSTGRESQL(test_postgresql_session_ended_by_an_earlier_statement_was_not_committed),
        TEST_POSTGRESQL(test_postgresql_session_ended_during_commit_is_unknown),
        TEST_POSTGRESQL(test_postgresql_commit_refused_by_a_constraint_is_known),
        TEST_POSTGRESQL(test_postgresql_statement_behind_a_failure_is_prepared_later),
        TEST_POSTGRESQL(test_postgresql_rollback_and_failure_keep_the_session),
        TEST_POSTGRESQL(test_postgresql_slow_statement_is_deadline_exceeded_but_a_script_is_not),
        TEST_POSTGRESQL(test_postgresql_lock_held_by_another_is_deadline_exceeded),
        TEST_POSTGRESQL(test_postgresql_session_waits_two_seconds_for_a_lock),
        TEST_POSTGRESQL(test_postgresql_idle_transaction_is_ended_by_the_server),
        TEST_POSTGRESQL(test_postgresql_failures_do_not_quote_values),
        cmocka_unit_test(test_postgresql_server_not_there_yet_is_unavailable),
        cmocka_unit_test(test_postgresql_options_that_libpq_does_not_know_are_refused),
        TEST_POSTGRESQL(test_postgresql_refused_login_or_database_is_invalid),
        TEST_POSTGRESQL(test_postgresql_second_host_is_used_when_the_first_is_down),
        TEST_POSTGRESQL(test_postgresql_server_away_backs_off_and_comes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
