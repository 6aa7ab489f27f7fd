/*
 * Private to lib/db: the interface of a driver. Callers use db.c, which checks the order of calls and
 * remembers the first failure of a transaction, so drivers only receive valid calls.
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

/* Receives a statement's result. All members may be NULL. */
struct db_sink {
    db_row_fn on_row;
    void *context;
    int64_t *changed; /* increased by the number of changed rows */
};

/*
 * The first column found to have the wrong type or a value out of its range. db_sink_row reports it when
 * on_row returns.
 */
struct db_mismatch {
    const char *wanted; /* the type or range that was expected; NULL = no mismatch */
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
    bool (*in_place)(struct db *db); /* NULL = always in place */
    enum status (*use_schema)(struct db *db, const char *schema, struct error *error);
    enum status (*begin)(struct db *db, struct error *error);
    /* Commits. Whatever the status, the transaction has then ended. */
    enum status (*commit)(struct db *db, struct error *error);
    void (*rollback)(struct db *db);
    /* `params` is NULL or has at least one row. */
    enum status (*run)(struct db *db, const struct db_statement *statement, const struct db_params *params,
                       const struct db_sink *sink, struct error *error);
    enum status (*run_script)(struct db *db, const char *script, struct error *error);
    /* Reads a cell as `wanted` or as DB_NULL. Returns false if it holds another type. */
    bool (*cell)(const struct db_row *row, int column, enum db_type wanted, struct db_value *out);
    bool (*is_null)(const struct db_row *row, int column);
};

/* The first member of every driver's connection. */
struct db {
    const struct db_driver *driver;
    enum db_dialect dialect;
    enum db_access access;
    bool in_transaction;
    uint64_t session;     /* see db_session */
    uint64_t stamp;       /* see db_stamp; 0 = unknown to the driver */
    struct error failure; /* the first failure in the open transaction */
};

extern const struct db_driver sqlite_driver;
extern const struct db_driver postgresql_driver;

/* Like FAULT_STATUS, but always OK for a read-only connection, because readers must not use up faults. */
#define DB_FAULT_STATUS(db, name, error)                                                                     \
    ((db)->access == DB_READ_WRITE ? FAULT_STATUS((name), (error)) : STATUS_OK)

/*
 * Expands the markers in `sql`, one of the statement's texts. Stores the result in *out; the caller frees it.
 * Returns INTERNAL for an unknown marker.
 */
MUST_CHECK enum status db_statement_expand(const struct db_statement *statement, const char *sql, char **out,
                                           struct error *error);

/* Returns the PATH of "sqlite:PATH", or NULL for any other URL. */
const char *db_url_sqlite_path(const char *url);

/*
 * Records that a column does not have the type or range `wanted`. Only the first such column of a row is
 * reported.
 */
void db_row_reject(const struct db_row *row, int column, const char *wanted);

/*
 * Passes one row to the sink's on_row and returns the status of that call. Returns INTERNAL if on_row read a
 * column of the wrong type or a number out of range.
 */
MUST_CHECK enum status db_sink_row(const struct db_sink *sink, const struct db_driver *driver, void *source,
                                   int number, const char *statement_name, struct error *error);

#endif
