/* For the tests of lib/db: creates a fresh SQLite file or PostgreSQL schema for each test, and removes it. */
#ifndef SCREENING_DB_DB_TESTING_H
#define SCREENING_DB_DB_TESTING_H

#include "db/db.h"

enum { FIXTURE_URL_SIZE = 512, FIXTURE_SCHEMA_SIZE = 64 };

struct fixture {
    enum db_dialect dialect;
    char folder[64]; /* SQLite: the test's private folder */
    char url[FIXTURE_URL_SIZE];
    char schema[FIXTURE_SCHEMA_SIZE]; /* PostgreSQL: the test's private schema */
    struct db *db;
    struct db_params *params;
};

/*
 * Setup and teardown for cmocka. If SCREENING_TEST_POSTGRESQL, a URL, is not set, the state of the PostgreSQL
 * tests is NULL.
 */
int fixture_setup_sqlite(void **state);
int fixture_setup_postgresql(void **state);
int fixture_teardown(void **state);

/* Returns the fixture of a test. Skips the test if there is none. */
struct fixture *fixture_of(void **state);

/* Opens another connection to the same database. */
struct db *fixture_connect(const struct fixture *fixture, enum db_access access);

/* The address of the tests' PostgreSQL server, which is a socket of UNIX, and the tests' user. */
struct fixture_place {
    char user[64];
    char database[64];
    char folder[192];
    char port[16];
};

struct fixture_place fixture_find_place(const struct fixture *fixture);

/* Runs a statement without parameters that returns one number. Returns the number. */
int64_t fixture_number(struct db *db, const struct db_statement *statement);

/* Checks that `status` is `expected`; otherwise fails the test with the error's message. */
void fixture_expect(enum status status, enum status expected, const struct error *error);

#define TEST_SQLITE(test) cmocka_unit_test_setup_teardown(test, fixture_setup_sqlite, fixture_teardown)
#define TEST_POSTGRESQL(test)                                                                                \
    cmocka_unit_test_setup_teardown(test, fixture_setup_postgresql, fixture_teardown)
#define TEST_BOTH(test) TEST_SQLITE(test), TEST_POSTGRESQL(test)

#endif
