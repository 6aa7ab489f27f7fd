/*
 * Private to lib/db: the interface of a driver. db.c stands in front of the drivers. It checks the order of
 * calls and remembers the first failure of a transaction, so drivers only see calls that make sense.
 */
#ifndef SCREENING_DB_DRIVER_H
#define SCREENING_DB_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault_point.h"
#include "base/status.h"
#include "base/uuid.h"
#include "db/db.h"

/* Where a statement's result goes. All members may be NULL. */
struct db_sink {
    db_row_fn on_row;
    void *context;
    int64_t *changed; /* incremented */
};

/* Records a column of the wrong type or out of its range; reported when on_row returns. */
struct db_mismatch {
    const char *wanted; /* NULL = none */
    int column;
};

struct db_row {
    const struct db_driver *driver;
    void *source; /* PGresult or sqlite3_stmt */
    int number;   /* index of the row in a PGresult */
    struct db_mismatch *mismatch;
};

struct db_driver {
    enum status (*open)(const char *url, enum db_access access, struct db **out, struct error *error);
    void (*close)(struct db *db);
    bool (*in_place)(struct db *db); /* NULL: always */
    enum status (*use_schema)(struct db *db, const char *schema, struct error *error);
    enum status (*begin)(struct db *db, struct error *error);
    /* The transaction is over, whatever this returns. */
    enum status (*commit)(struct db *db, struct error *error);
    void (*rollback)(struct db *db);
    /* `params` is NULL or has rows. */
    enum status (*run)(struct db *db, const struct db_statement *statement, const struct db_params *params,
                       const struct db_sink *sink, struct error *error);
    enum status (*run_script)(struct db *db, const char *script, struct error *error);
    /* Reads a cell as `wanted` or as DB_NULL. Returns false if it holds another type. */
    bool (*cell)(const struct db_row *row, int column, enum db_type wanted, struct db_value *out);
    bool (*is_null)(const struct db_row *row, int column);
};

/* The head of every connection. */
struct db {
    const struct db_driver *driver;
    enum db_dialect dialect;
    enum db_access access;
    bool in_transaction;
    uint64_t session;     /* db_session */
    uint64_t stamp;       /* db_stamp, if the driver knows it, otherwise 0 */
    struct error failure; /* the first one of the open transaction */
};

extern const struct db_driver sqlite_driver;
extern const struct db_driver postgresql_driver;

/* FAULT_STATUS for connections that write: readers must not use up the armed faults. */
#define DB_FAULT_STATUS(db, name, error)                                                                     \
    ((db)->access == DB_READ_WRITE ? FAULT_STATUS((name), (error)) : STATUS_OK)

/*
 * Expands the markers of `sql`, one of the texts of the statement, to the text that is prepared. The caller
 * frees *out. INTERNAL: an unknown marker.
 */
MUST_CHECK enum status db_statement_expand(const struct db_statement *statement, const char *sql, char **out,
                                           struct error *error);

/* Returns the part after the scheme of "sqlite:PATH"; NULL for any other URL. */
const char *db_url_sqlite_path(const char *url);

/* Notes that a column is not `wanted`: only the first one is reported. */
void db_row_reject(const struct db_row *row, int column, const char *wanted);

/* Passes one row to the sink's on_row. INTERNAL if on_row met a column of the wrong type or range. */
MUST_CHECK enum status db_sink_row(const struct db_sink *sink, const struct db_driver *driver, void *source,
                                   int number, const char *statement_name, struct error *error);

#endif
