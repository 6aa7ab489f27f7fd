/* The SQL of table recovery. */
#include "batch_pair.h"

#include "db/db_table.h"

static const struct db_column RECOVERY_COLUMNS[] = {
    DB_COLUMN(struct recovery, reinstated, INT, DB_CHANGES),
    DB_COLUMN(struct recovery, lost_from, INT, DB_CHANGES),
    DB_COLUMN(struct recovery, lost_to, INT, DB_CHANGES),
};
static const struct db_table RECOVERY = DB_TABLE("recovery", RECOVERY_COLUMNS);

static const struct db_statement READ_RECOVERY = {
    .name = "read_recovery",
    .sql = "SELECT {recovery} FROM recovery",
    .tables = {&RECOVERY},
};

static const struct db_statement ADD_REINSTATED = {
    .name = "add_reinstated",
    .sql = "UPDATE recovery SET reinstated = reinstated + $1",
};

static const struct db_statement ADD_LOST = {
    .name = "add_lost",
    .sql = "UPDATE recovery SET"
           " lost_from = CASE WHEN lost_from = 0 OR lost_from > $1 THEN $1 ELSE lost_from END,"
           " lost_to = CASE WHEN lost_to < $2 THEN $2 ELSE lost_to END",
};

static const struct db_statement ACKNOWLEDGE = {
    .name = "acknowledge_recovery",
    .sql = "UPDATE recovery SET reinstated = 0, lost_from = 0, lost_to = 0",
};

static enum status take_recovery(void *context, const struct db_row *row)
{
    (void)db_row_record(row, 0, &RECOVERY, context);
    return STATUS_OK;
}

enum status store_read_recovery(struct db *db, struct recovery *out, struct error *error)
{
    return db_run(db, &READ_RECOVERY, NULL, take_recovery, out, error);
}

enum status store_add_reinstated(struct db *db, int64_t count, struct error *error)
{
    return db_run(db, &ADD_REINSTATED, DB_ROW(db_int(count)), NULL, NULL, error);
}

enum status store_add_lost(struct db *db, uint64_t from, uint64_t to, struct error *error)
{
    return db_run(db, &ADD_LOST, DB_ROW(db_int((int64_t)from), db_int((int64_t)to)), NULL, NULL, error);
}

enum status store_acknowledge_recovery(struct db *db, struct error *error)
{
    return db_run(db, &ACKNOWLEDGE, NULL, NULL, NULL, error);
}
