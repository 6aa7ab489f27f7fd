/* The SQLite driver's own declarations. */
#ifndef SCREENING_DB_SQLITE_H
#define SCREENING_DB_SQLITE_H

#include <sqlite3.h>

#include "base/map.h"
#include "db/driver.h"
#include "db/sqlite_checkpoint.h"
#include "db/sqlite_file.h"

enum { SQLITE_RECENT = 64 }; /* a power of two, greater than the number of different statements in a batch */

struct prepared;

struct sqlite {
    struct db db;
    sqlite3 *handle;
    struct map statements; /* struct db_statement * -> struct prepared * */
    /*
     * The most recent statements, each at an index derived from its address. This is faster than the map,
     * whose hash is designed for untrusted keys.
     */
    struct {
        const struct db_statement *statement;
        struct prepared *prepared;
    } recent[SQLITE_RECENT];
    /* The next two members are NULL if the connection is read-only. */
    struct sqlite_checkpoint *checkpoint;
    struct sqlite_file *file;
    bool version_known;
    unsigned version; /* version of the content after this connection's last transaction */
};

/* Returns whether a result code means that the file is damaged. */
bool sqlite_is_damage(int code);

/* Returns the status that corresponds to a result code, which may be an extended one. */
enum status sqlite_status(int code);

/* Sets `error` from the last call on the handle, which failed with `code`. */
enum status sqlite_fail(const struct sqlite *sqlite, int code, const char *doing, struct error *error);

/* Implement the driver's members run, cell and is_null. */
MUST_CHECK enum status sqlite_run(struct db *db, const struct db_statement *statement,
                                  const struct db_params *params, const struct db_sink *sink,
                                  struct error *error);
bool sqlite_cell(const struct db_row *row, int column, enum db_type wanted, struct db_value *out);
bool sqlite_is_null(const struct db_row *row, int column);

/* Frees every prepared statement. */
void sqlite_forget_statements(struct sqlite *sqlite);

#endif
