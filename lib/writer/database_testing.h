/* For tests: creates a SQLite file in a temporary folder. */
#ifndef SCREENING_WRITER_DATABASE_TESTING_H
#define SCREENING_WRITER_DATABASE_TESTING_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/unit_testing.h"
#include "db/db.h"

struct test_database {
    char folder[64];
    char url[128];
};

/* Creates the file, runs `script` in it and returns the connection, which the caller owns. */
static inline struct db *test_database_create(struct test_database *database, const char *script)
{
    struct db *db = NULL;
    snprintf(database->folder, sizeof database->folder, "/tmp/screening_writer.XXXXXX");
    assert_non_null(mkdtemp(database->folder));
    snprintf(database->url, sizeof database->url, "sqlite:%s/test.db", database->folder);
    assert_int_equal(db_open(database->url, DB_READ_WRITE, &db, NULL), STATUS_OK);
    assert_int_equal(db_run_script(db, script, NULL), STATUS_OK);
    return db;
}

/* Removes the file and the folder. Call it after all connections are closed. */
static inline void test_database_destroy(const struct test_database *database)
{
    static const char *const names[] = {"test.db-wal", "test.db-shm", "test.db-lock", "test.db"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", database->folder, names[i]);
        unlink(path); /* -wal and -shm exist only if a reader closed last; rmdir fails if any file is left */
    }
    assert_int_equal(rmdir(database->folder), 0);
}

#endif
