/* What only SQLite can do: files that can't be opened, a full database, opening at the same moment. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/unit_test.h"
#include "db/db_fixture.h"
#include "db/sqlite.h"

enum { THREADS = 4, FULL_BYTES = 1024 * 1024 };

static const struct db_statement insert = {.name = "insert_thing",
                                           .sql = "INSERT INTO thing (content) VALUES ($1)"};
static const struct db_statement swapped = {.name = "swapped", .sql = "SELECT $2 - $1"};
static const struct db_statement misnamed = {.name = "misnamed", .sql = "SELECT ?1"};
static const struct db_statement two = {.name = "two", .sql = "SELECT 1; SELECT 2"};
static const struct db_statement elsewhere = {.name = "elsewhere", .postgresql = "SELECT 1"};
static const struct db_statement count_all = {.name = "count_things", .sql = "SELECT count(*) FROM thing"};
static const struct db_statement content_bytes = {.name = "content_bytes",
                                                  .sql = "SELECT sum(length(content)) FROM thing"};
static const struct db_statement faults = {
    .name = "faults", .sql = "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"};
static const struct db_statement journal = {.name = "synchronous", .sql = "PRAGMA synchronous"};
static const struct db_statement foreign_keys = {.name = "foreign_keys", .sql = "PRAGMA foreign_keys"};

static void expect_refused(const char *path, enum db_access access, const char *why)
{
    char url[256];
    struct db *db = NULL;
    struct error error = {0};

    snprintf(url, sizeof url, "sqlite:%s", path);
    fixture_expect(db_open(url, access, &db, &error), STATUS_INVALID_ARGUMENT, &error);
    snprintf(url, sizeof url, "database: cannot open %s: %s", path, why);
    assert_string_equal(error.message, url);
    assert_null(db);
}

static void test_sqlite_path_that_cannot_be_opened_is_refused(void **state)
{
    struct fixture *f = fixture_of(state);
    char path[128];
    int file;

    expect_refused("/nonexistent/folder/x.db", DB_READ_WRITE, "No such file or directory");
    expect_refused(f->folder, DB_READ_WRITE, "Is a directory");
    snprintf(path, sizeof path, "%s/absent.db", f->folder);
    expect_refused(path, DB_READ_ONLY, "No such file or directory");
    assert_int_equal(access(path, F_OK), -1);
    file = open(path, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(write(file, "This is no database, but long enough to look at.", 48), 48);
    close(file);
    expect_refused(path, DB_READ_WRITE, "file is not a database");
    expect_refused(path, DB_READ_ONLY, "file is not a database");
    unlink(path);
}

static void test_sqlite_connection_is_durable_and_checks_foreign_keys(void **state)
{
    struct fixture *f = fixture_of(state);

    assert_int_equal(fixture_number(f->db, &journal), 2); /* FULL */
    assert_int_equal(fixture_number(f->db, &foreign_keys), 1);
}

static void test_sqlite_full_database_is_unavailable_and_usable_afterwards(void **state)
{
    struct fixture *f = fixture_of(state);
    struct error error = {0};
    char *bytes = calloc(1, FULL_BYTES);

    fixture_expect(
        db_run_script(f->db, "CREATE TABLE thing (content BLOB); PRAGMA max_page_count = 16", &error),
        STATUS_OK, &error);
    db_params_bytes(f->params, bytes, FULL_BYTES);
    db_params_end_row(f->params);
    fixture_expect(db_begin(f->db, &error), STATUS_OK, &error);
    fixture_expect(db_run(f->db, &insert, f->params, NULL, NULL, &error), STATUS_UNAVAILABLE, &error);
    fixture_expect(db_commit(f->db, &error), STATUS_UNAVAILABLE, &error);
    db_params_reset(f->params);
    db_params_bytes(f->params, bytes, 1);
    db_params_end_row(f->params);
    fixture_expect(db_begin(f->db, &error), STATUS_OK, &error);
    fixture_expect(db_run(f->db, &insert, f->params, NULL, NULL, &error), STATUS_OK, &error);
    fixture_expect(db_commit(f->db, &error), STATUS_OK, &error);
    assert_int_equal(fixture_number(f->db, &count_all), 1);
    free(bytes);
}

static off_t size_of(const char *path)
{
    struct stat file;

    return stat(path, &file) == 0 ? file.st_size : 0;
}

static void commit_blob(struct fixture *f, const char *bytes)
{
    struct error error = {0};

    db_params_reset(f->params);
    db_params_bytes(f->params, bytes, FULL_BYTES);
    db_params_end_row(f->params);
    fixture_expect(db_begin(f->db, &error), STATUS_OK, &error);
    fixture_expect(db_run(f->db, &insert, f->params, NULL, NULL, &error), STATUS_OK, &error);
    fixture_expect(db_commit(f->db, &error), STATUS_OK, &error);
}

/* 1,500 pages of 4 KiB are copied beside the writer, who does nothing more then; after that the next commit
 * begins the log anew, and 1,500 pages of that are copied too. */
static void test_sqlite_log_is_copied_while_nobody_commits(void **state)
{
    enum { ROUNDS = 3, COMMITS = 6, REST_US = 50000 };
    struct fixture *f = fixture_of(state);
    struct error error = {0};
    const char *path = f->url + strlen("sqlite:");
    char *bytes = calloc(1, FULL_BYTES);
    int64_t deadline_ns = clock_monotonic_ns() + 60 * (int64_t)1000 * NS_PER_MS;

    fixture_expect(db_run_script(f->db, "CREATE TABLE thing (content BLOB)", &error), STATUS_OK, &error);
    for (int round = 1; round <= ROUNDS; round++) {
        for (int i = 0; i < COMMITS; i++)
            commit_blob(f, bytes);
        while (size_of(path) < (off_t)round * COMMITS * FULL_BYTES) {
            assert_true(clock_monotonic_ns() < deadline_ns);
            usleep(1000);
        }
        usleep(REST_US); /* the copier has more to do than to write; if it takes longer, this shows less */
    }
    free(bytes);
}

/* A log that was never begun anew would be longer than all that is in it. */
static void test_sqlite_log_is_begun_anew_while_it_is_written_to(void **state)
{
    enum { AT_LEAST = 64 };
    struct fixture *f = fixture_of(state);
    struct error error = {0};
    char *bytes = calloc(1, FULL_BYTES);
    char log[160];
    int64_t commits = 0, deadline_ns = clock_monotonic_ns() + 60 * (int64_t)1000 * NS_PER_MS;

    snprintf(log, sizeof log, "%s-wal", f->url + strlen("sqlite:"));
    fixture_expect(db_run_script(f->db, "CREATE TABLE thing (content BLOB)", &error), STATUS_OK, &error);
    while (commits < AT_LEAST || size_of(log) * 2 > commits * FULL_BYTES) {
        assert_true(clock_monotonic_ns() < deadline_ns);
        commit_blob(f, bytes);
        commits++;
    }
    assert_int_equal(fixture_number(f->db, &count_all), commits);
    assert_int_equal(fixture_number(f->db, &content_bytes), commits * FULL_BYTES);
    assert_int_equal(fixture_number(f->db, &faults), 0);
    free(bytes);
}

static enum status take_number(void *context, const struct db_row *row)
{
    *(int64_t *)context = db_row_int(row, 0);
    return STATUS_OK;
}

static void test_sqlite_parameters_go_by_their_numbers(void **state)
{
    struct fixture *f = fixture_of(state);
    struct error error = {0};
    int64_t number = 0;

    db_params_int(f->params, 3);
    db_params_int(f->params, 10);
    db_params_end_row(f->params);
    fixture_expect(db_run(f->db, &swapped, f->params, take_number, &number, &error), STATUS_OK, &error);
    assert_int_equal(number, 7);
    fixture_expect(db_run(f->db, &misnamed, f->params, NULL, NULL, &error), STATUS_INTERNAL, &error);
}

static void test_sqlite_statement_that_is_not_one_is_refused(void **state)
{
    struct fixture *f = fixture_of(state);
    struct error error = {0};

    fixture_expect(db_run(f->db, &two, NULL, NULL, NULL, &error), STATUS_INTERNAL, &error);
    fixture_expect(db_run(f->db, &elsewhere, NULL, NULL, NULL, &error), STATUS_INTERNAL, &error);
    fixture_expect(db_use_schema(f->db, "main", &error), STATUS_INTERNAL, &error);
}

struct opener {
    pthread_t thread;
    const char *url;
    struct db *db;
    enum status status;
    struct error error;
};

static void *open_it(void *context)
{
    struct opener *opener = context;

    opener->status = db_open(opener->url, DB_READ_WRITE, &opener->db, &opener->error);
    return NULL;
}

static void test_sqlite_new_file_may_be_opened_by_several_at_once(void **state)
{
    struct fixture *f = fixture_of(state);
    struct opener openers[THREADS] = {0};
    char url[128];

    snprintf(url, sizeof url, "sqlite:%s/fresh.db", f->folder);
    for (int i = 0; i < THREADS; i++) {
        openers[i].url = url;
        assert_int_equal(pthread_create(&openers[i].thread, NULL, open_it, &openers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(openers[i].thread, NULL);
    for (int i = 0; i < THREADS; i++) {
        fixture_expect(openers[i].status, STATUS_OK, &openers[i].error);
        db_close(openers[i].db);
    }
    unlink(url + strlen("sqlite:"));
}

static void test_sqlite_status_of_every_kind_of_code(void **state)
{
    (void)state;
    assert_int_equal(sqlite_status(SQLITE_CONSTRAINT_UNIQUE), STATUS_ALREADY_EXISTS);
    assert_int_equal(sqlite_status(SQLITE_CONSTRAINT_PRIMARYKEY), STATUS_ALREADY_EXISTS);
    assert_int_equal(sqlite_status(SQLITE_CONSTRAINT_FOREIGNKEY), STATUS_INTERNAL);
    assert_int_equal(sqlite_status(SQLITE_CONSTRAINT_CHECK), STATUS_INTERNAL);
    assert_int_equal(sqlite_status(SQLITE_BUSY_SNAPSHOT), STATUS_UNAVAILABLE);
    assert_int_equal(sqlite_status(SQLITE_IOERR_FSYNC), STATUS_UNAVAILABLE);
    assert_int_equal(sqlite_status(SQLITE_FULL), STATUS_UNAVAILABLE);
    assert_int_equal(sqlite_status(SQLITE_CORRUPT), STATUS_UNAVAILABLE);
    assert_int_equal(sqlite_status(SQLITE_READONLY), STATUS_INTERNAL);
    assert_int_equal(sqlite_status(SQLITE_ERROR), STATUS_INTERNAL);
    assert_int_equal(sqlite_status(SQLITE_DONE), STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_SQLITE(test_sqlite_path_that_cannot_be_opened_is_refused),
        TEST_SQLITE(test_sqlite_connection_is_durable_and_checks_foreign_keys),
        TEST_SQLITE(test_sqlite_full_database_is_unavailable_and_usable_afterwards),
        TEST_SQLITE(test_sqlite_log_is_copied_while_nobody_commits),
        TEST_SQLITE(test_sqlite_log_is_begun_anew_while_it_is_written_to),
        TEST_SQLITE(test_sqlite_parameters_go_by_their_numbers),
        TEST_SQLITE(test_sqlite_statement_that_is_not_one_is_refused),
        TEST_SQLITE(test_sqlite_new_file_may_be_opened_by_several_at_once),
        cmocka_unit_test(test_sqlite_status_of_every_kind_of_code),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
