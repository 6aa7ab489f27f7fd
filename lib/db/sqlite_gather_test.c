/*
 * Tests that gathering loses nothing. A recording VFS below it shows what reaches the files, makes writes and
 * syncs fail, and yields the files that a crash at any moment would leave.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/unit_testing.h"
#include "db/db_testing.h"
#include "db/recording_testing.h"
#include "db/sqlite_gather.h"

/* Commit number 1, 2, ... adds some rows, all with the same text. Some commits add more than is gathered. */
enum {
    COMMITS = 8,
    CHECKPOINT_AFTER = 4,
    SMALL_ROWS = 3,
    LARGE_ROWS = 45,
    SMALL_TEXT = 90,
    LARGE_TEXT = 3000
};
enum { SMALL_PAGE = 512, PAGE = 4096, SMALL_CACHE = 10, LARGE_CACHE = 2000, FRAME_HEADER = 24 };

struct store {
    char folder[64];
    char path[96];
    char crashed[96];
    const char *plain_vfs;
    struct image base; /* the empty table */
    int page;
    sqlite3 *writer;
    sqlite3 *reader;
    bool acknowledged[COMMITS + 1];
    int current; /* the commit under way, or the last one */
};

static struct store *store; /* for the watch */

static bool is_large(int number)
{
    return store->page == PAGE && number % 3 == 0;
}

/* ---- SQL ---- */

static sqlite3 *connect(const char *path, const char *vfs)
{
    sqlite3 *handle = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    assert_int_equal(sqlite3_open_v2(path, &handle, flags, vfs), SQLITE_OK);
    assert_int_equal(sqlite3_wal_autocheckpoint(handle, 0), SQLITE_OK);
    assert_int_equal(sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL), SQLITE_OK);
    return handle;
}

static int run(sqlite3 *handle, const char *sql)
{
    return sqlite3_exec(handle, sql, NULL, NULL, NULL);
}

static void must_run(sqlite3 *handle, const char *sql)
{
    int code = run(handle, sql);
    if (code != SQLITE_OK)
        fail_msg("%s: %s (%d)", sql, sqlite3_errmsg(handle), code);
}

static int run_pragma(sqlite3 *handle, const char *name, int value)
{
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA %s = %d", name, value);
    return run(handle, sql);
}

static int insert(sqlite3 *handle, int number, bool large)
{
    char sql[256];
    snprintf(sql, sizeof sql,
             "WITH RECURSIVE row (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM row WHERE n < %d) "
             "INSERT INTO thing SELECT %d, n, replace(hex(zeroblob(%d)), '00', char(64 + %d)) FROM row",
             large ? LARGE_ROWS : SMALL_ROWS, number, large ? LARGE_TEXT : SMALL_TEXT, number);
    return run(handle, sql);
}

/* Sets present[number] for each commit whose rows are there. Fails unless all of its rows are. */
static void look(sqlite3 *handle, bool present[COMMITS + 1])
{
    static const char sql[] = "SELECT number, count(*), min(content) = max(content), unicode(min(content)), "
                              "length(min(content)) FROM thing GROUP BY number";
    sqlite3_stmt *statement = NULL;
    int code;
    memset(present, 0, (COMMITS + 1) * sizeof present[0]);
    if (sqlite3_prepare_v2(handle, sql, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("cannot read: %s", sqlite3_errmsg(handle));
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        int number = sqlite3_column_int(statement, 0);
        assert_in_range(number, 1, COMMITS);
        assert_int_equal(sqlite3_column_int(statement, 1), is_large(number) ? LARGE_ROWS : SMALL_ROWS);
        assert_int_equal(sqlite3_column_int(statement, 2), 1);
        assert_int_equal(sqlite3_column_int(statement, 3), 64 + number);
        assert_int_equal(sqlite3_column_int(statement, 4), is_large(number) ? LARGE_TEXT : SMALL_TEXT);
        present[number] = true;
    }
    if (code != SQLITE_DONE)
        fail_msg("cannot read: %s", sqlite3_errmsg(handle));
    sqlite3_finalize(statement);
}

static int expect_ok(void *unused, int count, char **values, char **names)
{
    (void)unused, (void)count, (void)names;
    assert_string_equal(values[0], "ok");
    return 0;
}

/* Fails unless every acknowledged commit is there, and no other one but `maybe`. */
static void expect_commits(sqlite3 *handle, int maybe)
{
    bool present[COMMITS + 1];
    look(handle, present);
    for (int number = 1; number <= COMMITS; number++)
        if (present[number] != store->acknowledged[number] && (number != maybe || !present[number]))
            fail_msg("commit %d is %s", number, present[number] ? "there" : "lost");
    assert_int_equal(sqlite3_exec(handle, "PRAGMA integrity_check", expect_ok, NULL, NULL), SQLITE_OK);
}

/* ---- the store ---- */

static void open_store(int page)
{
    store->page = page;
    unlink(store->path);
    sqlite3 *handle = connect(store->path, store->plain_vfs);
    assert_int_equal(run_pragma(handle, "page_size", page), SQLITE_OK);
    must_run(handle,
             "PRAGMA journal_mode = WAL; CREATE TABLE thing (number integer, n integer, content text);"
             "CREATE INDEX thing_scattered ON thing (n * 7919 % 101, number);"
             "PRAGMA wal_checkpoint = TRUNCATE");
    sqlite3_close(handle);
    image_read(&store->base, store->path);
}

/* Starts again with an empty table. */
static void begin_story(int cache_pages, const char *synchronous)
{
    char shm[128];
    snprintf(shm, sizeof shm, "%s-shm", store->path);
    unlink(shm);
    image_write(&store->base, store->path);
    recording_clear();
    memset(store->acknowledged, 0, sizeof store->acknowledged);
    store->current = 0;
    store->writer = connect(store->path, sqlite_gather_vfs());
    store->reader = connect(store->path, store->plain_vfs);
    must_run(store->writer, synchronous);
    assert_int_equal(run_pragma(store->writer, "cache_size", cache_pages), SQLITE_OK);
}

static void end_story(void)
{
    recording.times = 0;
    recording.watch = NULL;
    assert_int_equal(sqlite3_close(store->writer), SQLITE_OK);
    assert_int_equal(sqlite3_close(store->reader), SQLITE_OK);
}

/* Adds the rows of a commit. A large one also reads them, and adds rows that it rolls back. */
static int fill(int number)
{
    bool large = is_large(number), present[COMMITS + 1];
    int code = insert(store->writer, number, large);
    if (code != SQLITE_OK && !sqlite3_get_autocommit(store->writer))
        code = insert(store->writer, number, large); /* only the statement was rolled back */
    if (code != SQLITE_OK || !large)
        return code;
    if (recording.times == 0)
        look(store->writer, present);
    code = run(store->writer, "SAVEPOINT rest");
    if (code == SQLITE_OK)
        code = insert(store->writer, COMMITS, true);
    if (code == SQLITE_OK)
        code = run(store->writer, "ROLLBACK TO rest");
    return code;
}

static int commit(int number)
{
    store->current = number;
    int code = run(store->writer, "BEGIN IMMEDIATE");
    if (code == SQLITE_OK)
        code = fill(number);
    if (code == SQLITE_OK)
        code = run(store->writer, "COMMIT");
    if (code == SQLITE_OK) {
        store->acknowledged[number] = true;
        recording_commit();
    } else if (!sqlite3_get_autocommit(store->writer))
        (void)run(store->writer, "ROLLBACK");
    return code;
}

/* The next commit then restarts the log. */
static int checkpoint(void)
{
    return sqlite3_wal_checkpoint_v2(store->writer, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

static void commit_all(void)
{
    for (int number = 1; number <= COMMITS; number++) {
        assert_int_equal(commit(number), SQLITE_OK);
        expect_commits(store->reader, 0);
        if (number == CHECKPOINT_AFTER)
            assert_int_equal(checkpoint(), SQLITE_OK);
    }
}

/* ---- tests ---- */

static int count(enum recorded_kind kind, enum recorded_file file)
{
    int found = 0;
    for (size_t i = 0; i < recording.count; i++)
        found += recording.list[i].kind == kind && recording.list[i].file == file;
    return found;
}

static void test_gather_small_commit_is_one_write_and_one_sync(void **state)
{
    (void)state;
    open_store(PAGE);
    begin_story(LARGE_CACHE, "PRAGMA synchronous = FULL");
    assert_int_equal(commit(1), SQLITE_OK);
    assert_int_equal(count(RECORDED_WRITE, RECORDED_LOG), 2); /* with the header of the log */
    assert_int_equal(commit(2), SQLITE_OK);
    assert_int_equal(count(RECORDED_WRITE, RECORDED_LOG), 3);
    assert_int_equal(count(RECORDED_SYNC, RECORDED_LOG), 3);
    assert_true(recording.list[recording.count - 3].size >= 2 * (FRAME_HEADER + PAGE));
    assert_int_equal(recording.list[recording.count - 3].kind, RECORDED_WRITE);
    assert_int_equal(recording.list[recording.count - 2].kind, RECORDED_SYNC);
    end_story();
}

static void test_gather_large_commit_is_written_in_large_parts(void **state)
{
    (void)state;
    int writes = 0, bytes = 0;
    open_store(PAGE);
    begin_story(LARGE_CACHE, "PRAGMA synchronous = FULL");
    assert_int_equal(commit(3), SQLITE_OK);
    for (size_t i = 0; i < recording.count; i++) {
        writes += recording.list[i].kind == RECORDED_WRITE;
        bytes += recording.list[i].size;
        assert_true(recording.list[i].size <= SQLITE_GATHER_BYTES);
    }
    assert_true(bytes > LARGE_ROWS * LARGE_TEXT);
    assert_int_equal(writes, 1 + (bytes + SQLITE_GATHER_BYTES - 1) / SQLITE_GATHER_BYTES);
    expect_commits(store->reader, 0);
    end_story();
}

static void read_during_commit(void)
{
    expect_commits(store->reader, store->current);
}

static void test_gather_reader_sees_whole_commits_at_any_moment(void **state)
{
    static const char *const modes[] = {"PRAGMA synchronous = FULL", "PRAGMA synchronous = NORMAL",
                                        "PRAGMA synchronous = OFF"};
    (void)state;
    open_store(PAGE);
    for (size_t i = 0; i < 2 * sizeof modes / sizeof modes[0]; i++) {
        begin_story(i % 2 == 0 ? SMALL_CACHE : LARGE_CACHE, modes[i / 2]);
        if (i / 2 == 0) /* otherwise SQLite writes while it allows no reader */
            recording.watch = read_during_commit;
        commit_all();
        end_story();
    }
}

/* The other connection writes its commit to where the transaction that was rolled back would be. */
static void test_gather_rolled_back_pages_overwrite_no_other_commit(void **state)
{
    (void)state;
    open_store(PAGE);
    begin_story(SMALL_CACHE, "PRAGMA synchronous = FULL");
    assert_int_equal(commit(1), SQLITE_OK);
    must_run(store->writer, "BEGIN IMMEDIATE");
    for (int i = 0; i < LARGE_ROWS / SMALL_ROWS; i++)
        assert_int_equal(insert(store->writer, 2, false), SQLITE_OK);
    must_run(store->writer, "UPDATE thing SET content = hex(zeroblob(500))");
    must_run(store->writer, "ROLLBACK");
    must_run(store->reader, "BEGIN IMMEDIATE");
    assert_int_equal(insert(store->reader, 2, false), SQLITE_OK);
    must_run(store->reader, "COMMIT");
    store->acknowledged[2] = true;
    expect_commits(store->writer, 0);
    for (int number = 3; number <= COMMITS; number++)
        assert_int_equal(commit(number), SQLITE_OK);
    end_story();
    store->reader = connect(store->path, store->plain_vfs);
    expect_commits(store->reader, 0);
    sqlite3_close(store->reader);
}

/* Fails unless the database recovers from the image with all acknowledged commits, and perhaps `maybe`. */
static void expect_recovery(const struct image *image, int maybe)
{
    image_write(image, store->crashed);
    sqlite3 *handle = connect(store->crashed, store->plain_vfs);
    must_run(handle,
             "PRAGMA locking_mode = EXCLUSIVE"); /* without a shared memory file, which takes longer */
    expect_commits(handle, maybe);
    sqlite3_close(handle);
}

/* Applies all that was recorded: the files as a crash of the process leaves them. */
static void expect_recovery_of_all(int maybe)
{
    struct image image = {0};
    image_copy(&image, &store->base, RECORDED_DATABASE);
    for (size_t i = 0; i < recording.count; i++)
        image_apply(&image, &recording.list[i], recording.list[i].size);
    expect_recovery(&image, maybe);
    image_clear(&image);
}

/*
 * Goes on after each failure. The fault ends with the commit that it fails. Returns whether it occurred.
 */
static bool play_fault(enum disk_fault fault, int pass, int times, int cache_pages)
{
    begin_story(cache_pages, "PRAGMA synchronous = FULL");
    recording.fault = fault, recording.pass = pass, recording.times = times;
    for (int number = 1; number <= COMMITS; number++) {
        int fired = recording.fired, code = commit(number);
        if (code != SQLITE_OK) {
            assert_true(recording.fired > fired);
            assert_true(code == SQLITE_FULL || code == SQLITE_IOERR);
        }
        if (code != SQLITE_OK || number == COMMITS) {
            expect_commits(store->writer, 0);
            expect_commits(store->reader, 0);
            /* A commit may be whole in the log although its sync has failed; the next one overwrites it. */
            expect_recovery_of_all(fault == SYNC_ERROR && code != SQLITE_OK ? number : 0);
        }
        if (number == CHECKPOINT_AFTER && checkpoint() != SQLITE_OK)
            assert_true(recording.fired > fired);
        if (recording.fired > 0)
            recording.times = 0;
    }
    bool fired = recording.fired > 0;
    end_story();
    return fired;
}

static void test_gather_failing_write_or_sync_fails_its_commit_only(void **state)
{
    enum { LASTING = 1000 };
    (void)state;
    open_store(PAGE);
    for (enum disk_fault fault = SHORT_WRITE; fault < DISK_FAULTS; fault++)
        for (int lasting = 0; lasting < 2; lasting++) {
            int pass = 0;
            while (play_fault(fault, pass, lasting ? LASTING : 1, lasting ? LARGE_CACHE : SMALL_CACHE))
                pass++;
            assert_true(pass > COMMITS);
        }
}

/*
 * Tries the files of a crash before event `i`: each with all that was written, or with what was synced only.
 */
static void crash_before(const struct image *written, const struct image *synced, int maybe)
{
    for (int which = 0; which < 4; which++) {
        struct image image = {0};
        image_copy(&image, which % 2 == 0 ? written : synced, RECORDED_DATABASE);
        image_copy(&image, which / 2 == 0 ? written : synced, RECORDED_LOG);
        expect_recovery(&image, maybe);
        image_clear(&image);
    }
}

/*
 * Tries the files of a crash within a write: each number of its first bytes is on the disk. It takes fewer
 * numbers for the database, whose writes this VFS does not touch.
 */
static void crash_within(const struct image *written, const struct recorded *event, int maybe)
{
    struct image image = {0};
    image_copy(&image, written, RECORDED_DATABASE);
    image_copy(&image, written, RECORDED_LOG);
    for (int size = 1; size < event->size; size += event->file == RECORDED_LOG ? 1 : 64) {
        image_apply(&image, event, size);
        expect_recovery(&image, maybe);
    }
    image_clear(&image);
}

static void test_gather_crash_at_every_byte_keeps_acknowledged_commits(void **state)
{
    struct image written = {0}, synced = {0};
    int last = 0;
    (void)state;
    open_store(SMALL_PAGE);
    begin_story(LARGE_CACHE, "PRAGMA synchronous = FULL");
    commit_all();
    end_story();
    memset(store->acknowledged, 0, sizeof store->acknowledged);
    image_copy(&written, &store->base, RECORDED_DATABASE);
    image_copy(&synced, &store->base, RECORDED_DATABASE);
    for (size_t i = 0; i < recording.count; i++) {
        const struct recorded *event = &recording.list[i];
        crash_before(&written, &synced, last + 1);
        if (event->kind == RECORDED_WRITE)
            crash_within(&written, event, last + 1);
        image_apply(&written, event, event->size);
        if (event->kind == RECORDED_SYNC)
            image_copy(&synced, &written, event->file);
        if (event->kind == RECORDED_COMMIT)
            store->acknowledged[++last] = true;
    }
    assert_int_equal(last, COMMITS);
    crash_before(&written, &synced, 0);
    image_clear(&written);
    image_clear(&synced);
}

static void test_gather_is_used_by_the_writer_of_the_driver(void **state)
{
    struct fixture *f = fixture_of(state);
    static const struct db_statement add = {.name = "add", .sql = "INSERT INTO thing VALUES ($1)"};
    struct error error = {0};
    fixture_expect(
        db_run_script(f->db, "CREATE TABLE thing (n integer); CREATE INDEX thing_n ON thing (n)", &error),
        STATUS_OK, &error);
    recording_clear();
    fixture_expect(db_begin(f->db, &error), STATUS_OK, &error);
    fixture_expect(db_run(f->db, &add, DB_ROW(db_int(1)), NULL, NULL, &error), STATUS_OK, &error);
    fixture_expect(db_commit(f->db, &error), STATUS_OK, &error);
    assert_int_equal(count(RECORDED_WRITE, RECORDED_LOG), 1);
    assert_true(recording.list[0].size > 2 * PAGE);
    assert_int_equal(count(RECORDED_SYNC, RECORDED_LOG), 1);
}

/* ---- set-up ---- */

static int set_up(void **state)
{
    (void)state;
    store = calloc(1, sizeof *store);
    assert_non_null(store);
    store->plain_vfs = recording_install();
    /* The tests write thousands of files, so they prefer memory to a disk that others may keep busy. */
    snprintf(store->folder, sizeof store->folder, "%s/sqlite_gather_test.XXXXXX",
             access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp");
    if (mkdtemp(store->folder) == NULL)
        return -1;
    snprintf(store->path, sizeof store->path, "%s/it.db", store->folder);
    snprintf(store->crashed, sizeof store->crashed, "%s/crashed.db", store->folder);
    return 0;
}

static int tear_down(void **state)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    (void)state;
    for (size_t i = 0; i < 2 * sizeof suffixes / sizeof suffixes[0]; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s%s", i % 2 == 0 ? store->path : store->crashed, suffixes[i / 2]);
        unlink(path);
    }
    rmdir(store->folder);
    image_clear(&store->base);
    recording_clear();
    free(store);
    return 0;
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_gather_small_commit_is_one_write_and_one_sync),
        TEST(test_gather_large_commit_is_written_in_large_parts),
        TEST(test_gather_reader_sees_whole_commits_at_any_moment),
        TEST(test_gather_rolled_back_pages_overwrite_no_other_commit),
        TEST(test_gather_failing_write_or_sync_fails_its_commit_only),
        TEST(test_gather_crash_at_every_byte_keeps_acknowledged_commits),
        TEST_SQLITE(test_gather_is_used_by_the_writer_of_the_driver),
    };
    (void)recording_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
