/*
 * Reads never go through the writer: a few threads, each with a database connection of its own. Their sources
 * take turns, and they are refused as the writer's requests are (base/admission.h): for want of a place,
 * which a task holds until it has been run, or because half of their time would go by before they begin.
 */
#ifndef SCREENING_WRITER_READER_H
#define SCREENING_WRITER_READER_H

#include <stddef.h>
#include <stdint.h>

#include "base/fair_queue.h"
#include "base/status.h"
#include "db/db.h"

struct reader_pool;
struct reader;

/* Embed it as the first member of your own task. It belongs to the pool from a successful submit until `run`
 * or `refuse` is called. */
struct reader_task {
    struct fair_item item; /* first member; `source` says who asks, `next` is the pool's own */
    struct reader *reader; /* the pool's own: the thread that runs it */
    int64_t deadline_ns;   /* monotonic; 0 = none */
    /* Does the read; on a reader thread. Owns the task again. */
    void (*run)(struct reader_task *task, struct db *db);
    /* Called instead of run when the deadline has passed (DEADLINE_EXCEEDED); the same in all else. */
    void (*refuse)(struct reader_task *task, const struct error *error);
};

/*
 * What the caller of a read that failed is told, inside `run`: a refusal (NOT_FOUND, RESOURCE_EXHAUSTED) as
 * it is; of what a database says, which may name hosts and paths, only that it is not reachable (UNAVAILABLE
 * with retry_after_ms) or that the fault is ours (INTERNAL). The cause goes to the log: INTERNAL each time
 * under `request_id`, a lost database once, until a read of the same thread succeeds.
 */
void reader_task_explain(struct reader_task *task, const struct error *cause, const char *request_id,
                         struct error *told);

struct reader_options {
    size_t threads;     /* 0 = 2 */
    size_t queue_max;   /* 0 = 4096 */
    const char *schema; /* PostgreSQL: the schema that names resolve to; NULL = the default */
};

/* Opens the connections and starts the threads. Fails as db_open does. */
MUST_CHECK enum status reader_pool_open(const char *database_url, const struct reader_options *options,
                                        struct reader_pool **out, struct error *error);

/* Finishes what waits, ends the threads. No submit may run or follow. */
void reader_pool_close(struct reader_pool *pool);

/* RESOURCE_EXHAUSTED `OVERLOADED` with retry_after_ms if it is refused; the task is then the caller's. Any
 * thread. */
MUST_CHECK enum status reader_pool_submit(struct reader_pool *pool, struct reader_task *task,
                                          struct error *error);

#endif
