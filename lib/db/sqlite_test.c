/* Tests what is specific to SQLite: files that cannot be opened, a full database, concurrent opening. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/unit_testing.h"
#include "db/db_testing.h"
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

static void expect_damaged(const char *path, enum db_access access)
{
    char text[256];
    struct db *db = NULL;
    struct error error = {0};
    snprintf(text, sizeof text, "sqlite:%s", path);
    fixture_expect(db_open(text, access, &db, &error), STATUS_INVALID_ARGUMENT, &error);
    snprintf(text, sizeof text, "database: %s is damaged: restore a backup (docs/operations.md, Restore)",
             path);
    assert_memory_equal(error.message, text, strlen(text));
    assert_true(db_is_damaged(&error));
}

static void test_sqlite_path_that_cannot_be_opened_is_refused(void **state)
{
    struct fixture *f = fixture_of(state);
    struct db *db = NULL;
    struct error error = {0};
    char path[128], url[32];
    int file;
    expect_refused("/nonexistent/folder/x.db", DB_READ_WRITE, "No such file or directory");
    expect_refused(f->folder, DB_READ_WRITE, "Is a directory");
    snprintf(path, sizeof path, "%s/absent.db", f->folder);
    expect_refused(path, DB_READ_ONLY, "No such file or directory");
    assert_int_equal(access(path, F_OK), -1);
    file = open(path, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(write(file, "This is no database, but long enough to look at.", 48), 48);
    close(file);
    expect_damaged(path, DB_READ_WRITE);
    expect_damaged(path, DB_READ_ONLY);
    unlink(path);
    snprintf(url, sizeof url, "sqlite:/dev/null");
    fixture_expect(db_open(url, DB_READ_WRITE, &db, &error), STATUS_INVALID_ARGUMENT, &error);
    assert_int_equal(access("/dev/null-lock", F_OK), -1);
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

/* Damages a page, as a disk fault does, before it is read for the first time. */
static void test_sqlite_damaged_page_is_unavailable_and_called_damage(void **state)
{
    static const struct db_statement root = {
        .name = "root", .sql = "SELECT rootpage FROM sqlite_master WHERE name = 'thing'"};
    struct fixture *f = fixture_of(state);
    const char *path = f->url + strlen("sqlite:");
    struct error error = {0};
    char rubbish[4096];
    int file;
    int64_t page;

    fixture_expect(db_run_script(f->db, "CREATE TABLE thing (content BLOB)", &error), STATUS_OK, &error);
    page = fixture_number(f->db, &root);
    db_close(f->db);
    memset(rubbish, 0xff, sizeof rubbish);
    file = open(path, O_WRONLY);
    assert_int_equal(pwrite(file, rubbish, sizeof rubbish, (page - 1) * (off_t)sizeof rubbish),
                     sizeof rubbish);
    close(file);
    f->db = fixture_connect(f, DB_READ_WRITE);
    assert_false(db_damage_seen());
    fixture_expect(db_run(f->db, &count_all, NULL, NULL, NULL, &error), STATUS_UNAVAILABLE, &error);
    assert_string_equal(error.reason, DB_DAMAGED);
    assert_true(db_damage_seen());
    assert_false(db_may_heal(&error));
    /* The probe does not touch the damaged page. */
    fixture_expect(db_probe(f->db, true, &error), STATUS_OK, &error);
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

/*
 * The copier copies 1,500 pages of 4 KiB while the writer is idle. The next commit then restarts the log, and
 * the copier copies 1,500 pages of the new log too.
 */
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
        usleep(REST_US); /* let the copier finish; if it takes longer, the test proves less */
    }
    free(bytes);
}

/* The log must become shorter than half of the content written, which is impossible if it never restarts. */
static void test_sqlite_log_is_restarted_while_it_is_written_to(void **state)
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

static void test_sqlite_new_file_opened_by_several_at_once_has_one_writer(void **state)
{
    struct fixture *f = fixture_of(state);
    struct opener openers[THREADS] = {0};
    char url[128], lock[140];
    int opened = 0;
    snprintf(url, sizeof url, "sqlite:%s/fresh.db", f->folder);
    for (int i = 0; i < THREADS; i++) {
        openers[i].url = url;
        assert_int_equal(pthread_create(&openers[i].thread, NULL, open_it, &openers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(openers[i].thread, NULL);
    for (int i = 0; i < THREADS; i++) {
        opened += openers[i].status == STATUS_OK;
        if (openers[i].status != STATUS_OK)
            fixture_expect(openers[i].status, STATUS_FAILED_PRECONDITION, &openers[i].error);
        db_close(openers[i].db);
    }
    assert_int_equal(opened, 1);
    unlink(url + strlen("sqlite:"));
    snprintf(lock, sizeof lock, "%s-lock", url + strlen("sqlite:"));
    unlink(lock);
}

/* ---- one writer, and only on the file that it opened ---- */

static void expect_in_use(const char *path)
{
    struct db *db = NULL;
    struct error error = {0};
    char url[256], holder[64];
    snprintf(url, sizeof url, "sqlite:%s", path);
    snprintf(holder, sizeof holder, "in use by process %d (sqlite_test on ", (int)getpid());
    fixture_expect(db_open(url, DB_READ_WRITE, &db, &error), STATUS_FAILED_PRECONDITION, &error);
    assert_non_null(strstr(error.message, holder));
    fixture_expect(db_open(url, DB_READ_ONLY, &db, &error), STATUS_OK, &error);
    db_close(db);
}

static void test_sqlite_second_writer_is_refused_under_any_name(void **state)
{
    struct fixture *f = fixture_of(state);
    const char *path = f->url + strlen("sqlite:");
    char name[256];
    expect_in_use(path);
    snprintf(name, sizeof name, "%s/./../%s/test.db", f->folder, strrchr(f->folder, '/') + 1);
    expect_in_use(name);
    snprintf(name, sizeof name, "%s/link", f->folder);
    assert_int_equal(symlink("test.db", name), 0);
    expect_in_use(name);
    unlink(name);
    snprintf(name, sizeof name, "%s.link", f->folder);
    assert_int_equal(symlink(f->folder, name), 0);
    strncat(name, "/test.db", sizeof name - strlen(name) - 1);
    expect_in_use(name);
    *strrchr(name, '/') = '\0';
    unlink(name);
    db_close(f->db);
    f->db = fixture_connect(f, DB_READ_WRITE);
}

static void test_sqlite_lock_left_behind_is_no_obstacle(void **state)
{
    struct fixture *f = fixture_of(state);
    char name[160];
    int lock;
    db_close(f->db);
    snprintf(name, sizeof name, "%s-lock", f->url + strlen("sqlite:"));
    lock = open(name, O_WRONLY | O_TRUNC);
    assert_int_equal(write(lock, "1 (init)\n", 9), 9);
    close(lock);
    f->db = fixture_connect(f, DB_READ_WRITE);
    expect_in_use(f->url + strlen("sqlite:"));
}

static void test_sqlite_file_with_two_names_is_refused(void **state)
{
    struct fixture *f = fixture_of(state);
    struct db *db = NULL;
    struct error error = {0};
    char name[160];
    snprintf(name, sizeof name, "%s.other", f->url + strlen("sqlite:"));
    db_close(f->db);
    assert_int_equal(link(f->url + strlen("sqlite:"), name), 0);
    fixture_expect(db_open(f->url, DB_READ_WRITE, &db, &error), STATUS_INVALID_ARGUMENT, &error);
    assert_non_null(strstr(error.message, "2 names"));
    unlink(name);
    f->db = fixture_connect(f, DB_READ_WRITE);
}

static void expect_gone(struct db *db)
{
    struct error error = {0};
    assert_false(db_in_place(db));
    fixture_expect(db_begin(db, &error), STATUS_UNAVAILABLE, &error);
    assert_string_equal(error.reason, DB_GONE);
}

static void expect_in_place(struct db *db)
{
    struct error error = {0};
    assert_true(db_in_place(db));
    fixture_expect(db_begin(db, &error), STATUS_OK, &error);
    fixture_expect(db_commit(db, &error), STATUS_OK, &error);
}

static void test_sqlite_file_removed_or_replaced_takes_no_more_writes(void **state)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    struct fixture *f = fixture_of(state);
    char path[160], aside[176];
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        snprintf(path, sizeof path, "%s%s", f->url + strlen("sqlite:"), suffixes[i]);
        snprintf(aside, sizeof aside, "%s.aside", path);
        expect_in_place(f->db);
        assert_int_equal(rename(path, aside), 0);
        expect_gone(f->db);
        close(open(path, O_CREAT | O_WRONLY, 0600));
        expect_gone(f->db);
        assert_int_equal(rename(aside, path), 0); /* put the same file back */
        expect_in_place(f->db);
    }
}

/*
 * Begins transactions until one is refused. Returns whether that happens within about a second, with the
 * reason DB_GONE. A change in a parent folder is noticed only at the next check.
 */
static bool gone_within_a_second(struct db *db)
{
    const int64_t deadline_ns = clock_monotonic_ns() + INT64_C(1000) * NS_PER_MS;
    struct error error = {0};
    while (db_begin(db, &error) == STATUS_OK) {
        fixture_expect(db_commit(db, &error), STATUS_OK, &error);
        if (clock_monotonic_ns() > deadline_ns)
            return false;
    }
    return strcmp(error.reason, DB_GONE) == 0;
}

static void test_sqlite_folder_renamed_takes_no_more_writes(void **state)
{
    struct fixture *f = fixture_of(state);
    struct error error = {0};
    char outer[80], inner[96], url[128], aside[96];
    struct db *db;
    snprintf(outer, sizeof outer, "%s/outer", f->folder);
    snprintf(inner, sizeof inner, "%s/inner", outer);
    snprintf(aside, sizeof aside, "%s/aside", f->folder);
    snprintf(url, sizeof url, "sqlite:%s/x.db", inner);
    assert_int_equal(mkdir(outer, 0700), 0);
    assert_int_equal(mkdir(inner, 0700), 0);
    fixture_expect(db_open(url, DB_READ_WRITE, &db, &error), STATUS_OK, &error);
    expect_in_place(db);
    assert_int_equal(rename(inner, aside), 0);
    expect_gone(db);
    assert_int_equal(rename(aside, inner), 0);
    expect_in_place(db);
    assert_int_equal(rename(outer, aside), 0);
    assert_false(db_in_place(db));
    assert_true(gone_within_a_second(db));
    assert_int_equal(rename(aside, outer), 0);
    expect_in_place(db);
    db_close(db);
    snprintf(url, sizeof url, "%s/x.db", inner);
    assert_int_equal(unlink(url), 0);
    snprintf(url, sizeof url, "%s/x.db-lock", inner);
    assert_int_equal(unlink(url), 0);
    assert_int_equal(rmdir(inner), 0);
    assert_int_equal(rmdir(outer), 0);
}

static void test_sqlite_keeps_no_statistics_of_its_memory(void **state)
{
    (void)state; /* its connection has memory */
    assert_int_equal(sqlite3_memory_used(), 0);
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
        TEST_SQLITE(test_sqlite_damaged_page_is_unavailable_and_called_damage),
        TEST_SQLITE(test_sqlite_path_that_cannot_be_opened_is_refused),
        TEST_SQLITE(test_sqlite_connection_is_durable_and_checks_foreign_keys),
        TEST_SQLITE(test_sqlite_full_database_is_unavailable_and_usable_afterwards),
        TEST_SQLITE(test_sqlite_log_is_copied_while_nobody_commits),
        TEST_SQLITE(test_sqlite_log_is_restarted_while_it_is_written_to),
        TEST_SQLITE(test_sqlite_parameters_go_by_their_numbers),
        TEST_SQLITE(test_sqlite_statement_that_is_not_one_is_refused),
        TEST_SQLITE(test_sqlite_new_file_opened_by_several_at_once_has_one_writer),
        TEST_SQLITE(test_sqlite_second_writer_is_refused_under_any_name),
        TEST_SQLITE(test_sqlite_lock_left_behind_is_no_obstacle),
        TEST_SQLITE(test_sqlite_file_with_two_names_is_refused),
        TEST_SQLITE(test_sqlite_file_removed_or_replaced_takes_no_more_writes),
        TEST_SQLITE(test_sqlite_folder_renamed_takes_no_more_writes),
        TEST_SQLITE(test_sqlite_keeps_no_statistics_of_its_memory),
        cmocka_unit_test(test_sqlite_status_of_every_kind_of_code),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
