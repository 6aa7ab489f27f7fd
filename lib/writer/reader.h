/*
 * Reads bypass the writer. A few threads serve them, each with its own database connection. Sources take
 * turns (base/fair_queue.h), and reads are refused by the same rules as the writer's requests
 * (base/admission.h). A read is refused if no place is free for its source (a task holds its place until it
 * has run), or if more than half of the time until its deadline would pass before it starts.
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

/* Embed it in your task. The pool owns it from a successful submit until `run` or `refuse` is called. */
struct reader_task {
    struct fair_item item; /* its `source` identifies the client */
    struct reader *reader; /* the thread that runs the task; private to the pool */
    int64_t deadline_ns;   /* monotonic; 0 = none */
    /* Performs the read, on a reader thread. The callee owns the task again. */
    void (*run)(struct reader_task *task, struct db *db);
    /*
     * Called instead of `run`, on a reader thread, if the deadline has passed. `error` is DEADLINE_EXCEEDED.
     */
    void (*refuse)(struct reader_task *task, const struct error *error);
};

/*
 * Translates the error of a failed read for the client. Call it within `run`. A refusal (such as NOT_FOUND or
 * RESOURCE_EXHAUSTED) is passed on unchanged. A database error may name hosts and paths, so the client only
 * learns that the database is away (UNAVAILABLE NOT_READY), late or unusable (UNAVAILABLE), each with
 * retry_after_ms, or that the service has failed (INTERNAL). The cause is logged. INTERNAL is logged each
 * time, with `request_id`. A lost database is logged once per thread, and again only after a read on that
 * thread has succeeded.
 */
void reader_task_explain(struct reader_task *task, const struct error *cause, const char *request_id,
                         struct error *told);

struct reader_options {
    size_t threads;     /* number of threads; 0 = the default, 2 */
    size_t queue_max;   /* number of places for tasks; 0 = 4096 */
    const char *schema; /* the PostgreSQL schema to which names resolve; NULL = the default */
};

/*
 * Opens the connections and starts the threads. Fails like db_open, or with RESOURCE_EXHAUSTED if memory or
 * threads run out.
 */
MUST_CHECK enum status reader_pool_open(const char *database_url, const struct reader_options *options,
                                        struct reader_pool **out, struct error *error);

/*
 * Completes the waiting tasks, ends the threads and closes the connections. No submit may run concurrently or
 * follow.
 */
void reader_pool_close(struct reader_pool *pool);

/*
 * Submits a read. If it is refused, returns RESOURCE_EXHAUSTED `OVERLOADED` with retry_after_ms, and the
 * caller keeps the task. Any thread.
 */
MUST_CHECK enum status reader_pool_submit(struct reader_pool *pool, struct reader_task *task,
                                          struct error *error);

#endif
