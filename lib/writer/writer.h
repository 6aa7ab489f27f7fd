/*
 * All state changes go through the writer: one thread per process, which drains all waiting commands into one
 * transaction (group commit) without any artificial delay.
 *
 *     writer_submit -> queue -> begin, apply(batch), commit -> complete each command -> committed(batch)
 *
 * Order in a batch: settles, then events, then requests, then background commands. Requests of different
 * sources take turns (base/fair_queue.h); all other commands are first come, first served. A batch holds at
 * most `batch_max` commands. Requests leave an eighth of the batch to waiting background commands. These
 * never take more, however many wait, so a request never waits for a batch full of them.
 *
 * Only requests are refused, and always immediately. A request is refused when its source already holds all
 * the places it may take (base/admission.h), or when, at the current pace, half of its time would pass before
 * its batch begins. Without this load shedding, a queue that drains more slowly than deadlines expire would
 * fill with requests that each begin too late, and the writer would be busy without serving any client.
 *
 * A failure of apply or commit is handled by its status:
 *   - UNKNOWN (the result of a COMMIT was lost): the batch is applied again. This is safe because every
 *     command is guarded by its id, status or cursor, or finds its earlier effect. After `commit_retry_ms`
 *     its commands are completed with UNAVAILABLE.
 *   - ABORTED: the batch is applied again immediately, a few times. Then its commands are completed with
 *     UNAVAILABLE.
 *   - another transient status: every command is completed with UNAVAILABLE.
 *   - anything else: the batch is poisoned. Its commands run again, each in a separate transaction. A
 *     command that fails alone is completed with INTERNAL and logged. Only an event's outcome includes the
 *     cause.
 */
#ifndef SCREENING_WRITER_WRITER_H
#define SCREENING_WRITER_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fair_queue.h"
#include "base/queue.h"
#include "base/status.h"
#include "db/db.h"

struct writer;

/* WRITER_BACKGROUND is work that no client waits for, such as a backlog. */
enum writer_class { WRITER_SETTLE, WRITER_EVENT, WRITER_BACKGROUND, WRITER_REQUEST };

/*
 * The head of every command. Embed it; container_of leads back to the command. The writer owns the command
 * from a successful submit until it calls `complete`.
 */
struct writer_command {
    struct fair_item item; /* the source of a request is its client; requests without a source share one */
    enum writer_class class;
    /*
     * Monotonic; 0 = none. A command whose deadline has passed when its batch begins is not applied and takes
     * no room in the batch. It is completed with DEADLINE_EXCEEDED, and nothing was written for it.
     */
    int64_t deadline_ns;
    /*
     * Set by apply (anything but OK is a refusal and does not fail the batch) or, when the batch fails, by
     * the writer. Cleared before each apply.
     */
    struct error outcome;
    /* Whether the request keeps its place after completion, until writer_release_place. */
    bool keeps_place;
    /*
     * Called once, on the writer thread, after the commit or the failure. Must not block. May free the
     * command and submit others.
     */
    void (*complete)(struct writer_command *command);
    void *context; /* an argument for `complete` */
};

struct writer_ops {
    /*
     * Loads, decides and saves the whole batch inside an open transaction. After a failure it may be called
     * again for the same commands, so it must start from the database each time. A status other than OK fails
     * the batch.
     */
    enum status (*apply)(void *context, struct db *db, struct writer_command *const *commands, size_t count,
                         struct error *error);
    /*
     * Called before and after the completions of a whole batch, so that their replies can be sent together.
     * Run on the writer thread. May be NULL.
     */
    void (*completing)(void *context);
    void (*completed)(void *context);
    /* Called after the commit and all completions, to publish. Runs on the writer thread. May be NULL. */
    void (*committed)(void *context);
    void *context;
};

struct writer_options {
    size_t batch_max;         /* largest number of commands in a batch; 0 = 512 */
    size_t queue_max;         /* number of places for requests; 0 = 4096 */
    uint32_t commit_retry_ms; /* how long a batch with a lost COMMIT result is retried; 0 = 2000 */
};

/*
 * Starts the thread and takes ownership of `db`, which writer_close closes. Returns RESOURCE_EXHAUSTED on
 * failure; the caller then keeps `db`.
 */
MUST_CHECK enum status writer_open(struct db *db, const struct writer_options *options,
                                   const struct writer_ops *ops, struct writer **out, struct error *error);

/*
 * Applies all waiting commands, ends the thread and closes the database. No submit may run concurrently or
 * follow.
 */
void writer_close(struct writer *writer);

/*
 * Submits a settle, an event or a background command. Never refuses and never blocks. Any thread, even from
 * `complete`.
 */
void writer_submit(struct writer *writer, struct writer_command *command);

/* Like writer_submit, for a queue of commands linked by `item.node`, with a single wake-up. */
void writer_submit_all(struct writer *writer, struct queue commands);

/*
 * Submits an event that only moves a cursor and is not worth a separate commit. It joins the next batch that
 * other commands start. writer_hurry starts a batch without them. Any thread.
 */
void writer_submit_patient(struct writer *writer, struct writer_command *command);
void writer_hurry(struct writer *writer);

/*
 * Submits a command, sets its `complete` and `context`, waits for its completion and returns its outcome,
 * with details in `error`. If `patience_ms` > 0, submits it like writer_submit_patient and starts a batch
 * after that time. Never call it on the writer thread.
 */
MUST_CHECK enum status writer_submit_and_wait(struct writer *writer, struct writer_command *command,
                                              uint32_t patience_ms, struct error *error);

/*
 * Submits a request. If it is refused (see above), returns RESOURCE_EXHAUSTED `OVERLOADED` with
 * retry_after_ms. The caller then keeps the command, and `complete` is not called. Any thread.
 */
MUST_CHECK enum status writer_submit_request(struct writer *writer, struct writer_command *command,
                                             struct error *error);

/* Releases the place of a request from `source` that had keeps_place set. Any thread. */
void writer_release_place(struct writer *writer, uint64_t source);

/*
 * Returns why the database keeps the service from being ready, as a static line without a newline. Returns
 * NULL if it is ready. It is not ready if the last batch failed because of the database, if without batches
 * the last probe failed (every 2 s, after a failure every 0.5 s), or if the database file is no longer in its
 * place. Any thread.
 */
const char *writer_database_trouble(struct writer *writer);

#endif
