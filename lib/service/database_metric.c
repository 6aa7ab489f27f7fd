#include "service/database_metric.h"

#include <stdatomic.h>
#include <stdbool.h>

#include "base/metrics.h"

static struct metric size_bytes =
    METRIC("database_size_bytes", "Size of the database, at the /metrics before");

static const struct db_statement DATABASE_SIZE = {
    .name = "database_size",
    .sql = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    .postgresql = "SELECT pg_database_size(current_database())",
};

static atomic_bool asking;

static enum status take_size(void *context, const struct db_row *row)
{
    (void)context;
    metric_set(&size_bytes, db_row_int(row, 0));
    metric_register(&size_bytes);
    return STATUS_OK;
}

static void done(struct reader_task *task, const struct error *error)
{
    (void)task;
    (void)error; /* keep the old size; other code reports an unavailable database */
    atomic_store(&asking, false);
}

static void run(struct reader_task *task, struct db *db)
{
    struct error error = {0};
    (void)!db_run(db, &DATABASE_SIZE, NULL, take_size, NULL, &error);
    done(task, &error);
}

void database_metric_refresh(struct reader_pool *readers)
{
    static struct reader_task task = {.run = run, .refuse = done};
    struct error error = {0};
    if (!atomic_exchange(&asking, true) && reader_pool_submit(readers, &task, &error) != STATUS_OK)
        done(&task, &error);
}
