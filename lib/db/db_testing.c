#include "db/db_testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/unit_testing.h"

static struct fixture *create_fixture(enum db_dialect dialect)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->dialect = dialect;
    fixture->params = db_params_create();
    return fixture;
}

int fixture_setup_sqlite(void **state)
{
    struct fixture *fixture = create_fixture(DB_SQLITE);
    struct error error = {0};
    snprintf(fixture->folder, sizeof fixture->folder, "/tmp/db_test.XXXXXX");
    if (mkdtemp(fixture->folder) == NULL)
        return -1;
    snprintf(fixture->url, sizeof fixture->url, "sqlite:%s/test.db", fixture->folder);
    *state = fixture;
    fixture_expect(db_open(fixture->url, DB_READ_WRITE, &fixture->db, &error), STATUS_OK, &error);
    return 0;
}

int fixture_setup_postgresql(void **state)
{
    static int count;
    const char *url = getenv("SCREENING_TEST_POSTGRESQL");
    struct fixture *fixture;
    struct error error = {0};
    char script[128];
    *state = NULL;
    if (url == NULL)
        return 0;
    fixture = create_fixture(DB_POSTGRESQL);
    snprintf(fixture->url, sizeof fixture->url, "%s", url);
    snprintf(fixture->schema, sizeof fixture->schema, "db_test_%d_%d", (int)getpid(), count++);
    *state = fixture;
    fixture_expect(db_open(url, DB_READ_WRITE, &fixture->db, &error), STATUS_OK, &error);
    snprintf(script, sizeof script, "CREATE SCHEMA %s", fixture->schema);
    fixture_expect(db_run_script(fixture->db, script, &error), STATUS_OK, &error);
    fixture_expect(db_use_schema(fixture->db, fixture->schema, &error), STATUS_OK, &error);
    return 0;
}

static void remove_database(struct fixture *fixture)
{
    static const char *const names[] = {"test.db", "test.db-wal", "test.db-shm", "test.db-lock"};
    char path[128];
    struct error error = {0};
    if (fixture->dialect == DB_POSTGRESQL) {
        struct db *db = fixture_connect(fixture, DB_READ_WRITE);
        snprintf(path, sizeof path, "DROP SCHEMA %s CASCADE", fixture->schema);
        fixture_expect(db_run_script(db, path, &error), STATUS_OK, &error);
        db_close(db);
        return;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", fixture->folder, names[i]);
        unlink(path);
    }
    rmdir(fixture->folder);
}

int fixture_teardown(void **state)
{
    struct fixture *fixture = *state;
    if (fixture == NULL)
        return 0;
    db_close(fixture->db);
    remove_database(fixture);
    db_params_destroy(fixture->params);
    free(fixture);
    return 0;
}

struct fixture *fixture_of(void **state)
{
    if (*state == NULL) {
        print_message("skipped: SCREENING_TEST_POSTGRESQL is not set\n");
        skip();
    }
    return *state;
}

struct db *fixture_connect(const struct fixture *fixture, enum db_access access)
{
    struct db *db = NULL;
    struct error error = {0};
    fixture_expect(db_open(fixture->url, access, &db, &error), STATUS_OK, &error);
    if (fixture->dialect == DB_POSTGRESQL)
        fixture_expect(db_use_schema(db, fixture->schema, &error), STATUS_OK, &error);
    return db;
}

static enum status take_place(void *context, const struct db_row *row)
{
    struct fixture_place *place = context;
    snprintf(place->user, sizeof place->user, "%s", db_row_text(row, 0));
    snprintf(place->database, sizeof place->database, "%s", db_row_text(row, 1));
    snprintf(place->folder, sizeof place->folder, "%s", db_row_text(row, 2));
    snprintf(place->port, sizeof place->port, "%s", db_row_text(row, 3));
    place->folder[strcspn(place->folder, ",")] = '\0';
    return STATUS_OK;
}

struct fixture_place fixture_find_place(const struct fixture *fixture)
{
    static const struct db_statement where = {
        .name = "where",
        .sql = "SELECT current_user::text, current_database()::text,"
               " current_setting('unix_socket_directories'), current_setting('port')",
    };
    struct fixture_place place = {0};
    struct error error = {0};
    fixture_expect(db_run(fixture->db, &where, NULL, take_place, &place, &error), STATUS_OK, &error);
    return place;
}

static enum status take_number(void *context, const struct db_row *row)
{
    *(int64_t *)context = db_row_int(row, 0);
    return STATUS_OK;
}

int64_t fixture_number(struct db *db, const struct db_statement *statement)
{
    struct error error = {0};
    int64_t number = -1;
    fixture_expect(db_run(db, statement, NULL, take_number, &number, &error), STATUS_OK, &error);
    return number;
}

void fixture_expect(enum status status, enum status expected, const struct error *error)
{
    if (status != expected)
        fail_msg("%s instead of %s: %s", status_name(status), status_name(expected), error->message);
}
