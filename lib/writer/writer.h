/*
 * All state changes go through the writer, a single thread per process. It applies the waiting commands in
 * batches, with one transaction per batch (group commit) and no artificial delay.
 *
 *     writer_submit -> queue -> begin, apply(batch), commit -> complete each command -> committed(batch)
 *
 * Order in a batch: settles, then events, then requests, then background commands. Requests of different
 * sources take turns (base/fair_queue.h); all other commands are first come, first served. A batch holds at
 * most `batch_max` commands. Requests leave up to an eighth of the batch to waiting background commands.
 * Background commands never take more than that, so a request never waits for a batch that is full of them.
 *
 * Only requests are refused, and always immediately. A request is refused if it would wait for a database
 * that is known to be away, if its source already holds all the places that it may take (base/admission.h),
 * or if, at the current pace, more than half of its time would pass before its batch begins. Without this
 * load shedding, a queue that drains more slowly than deadlines expire would fill with requests that each
 * begin too late, and the writer would be busy without serving any client.
 *
 * A failure of apply or commit is handled by its status:
 *   - UNKNOWN (the result of a COMMIT was lost): the batch is applied again. This is safe because every
 *     command is guarded by its id, status or cursor, or finds its earlier effect. After `commit_retry_ms`
 *     the commands are completed with UNAVAILABLE. If the database is away meanwhile, the requests that wait
 *     for the next batch are completed with UNAVAILABLE `NOT_READY`.
 *   - ABORTED: the batch is applied again immediately, a few times. Then its commands are completed with
 *     UNAVAILABLE.
 *   - another transient status: every command is completed with UNAVAILABLE. If the cause is a damaged
 *     page, the commands first run again one by one, as below. If the transaction could not
 *     begin, because the database is away, requests have the reason `NOT_READY`: nothing was executed.
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
 * The common part of every command. Embed it; container_of returns the command. The writer owns the command
 * from a successful submit until it calls `complete`.
 */
struct writer_command {
    struct fair_item item; /* the source of a request is its client; requests without one share a source */
    enum writer_class class;
    /*
     * Monotonic; 0 = none. A command whose deadline has passed when its batch begins is not applied and takes
     * no room in the batch. It is completed with DEADLINE_EXCEEDED, and nothing is written for it.
     */
    int64_t deadline_ns;
    /*
     * Set by apply; a status other than OK is a refusal and does not fail the batch. Set by the writer if the
     * batch fails or the command expires. Cleared before each apply.
     */
    struct error outcome;
    /* Whether the request keeps its place after completion, until writer_release_place. */
    bool keeps_place;
    /*
     * Called once, on the writer thread, after the commit, the failure or the expiry. Must not block. May
     * free the command and submit others.
     */
    void (*complete)(struct writer_command *command);
    void *context; /* an argument for `complete` */
};

struct writer_ops {
    /*
     * Loads, decides and saves the whole batch inside an open transaction. After a failure it may be called
     * again for the same commands, so it must start from the content of the database each time. A status
     * other than OK fails the batch.
     */
    enum status (*apply)(void *context, struct db *db, struct writer_command *const *commands, size_t count,
                         struct error *error);
    /*
     * Called before and after the commands of a transaction are completed, so that their replies can be sent
     * together. Not called for commands that expired or were poisoned. Run on the writer thread. May be NULL.
     */
    void (*completing)(void *context);
    void (*completed)(void *context);
    /* Called after the commit and all completions, to publish. Runs on the writer thread. May be NULL. */
    void (*committed)(void *context);
    void *context;
};

struct writer_options {
    size_t batch_max;         /* maximum number of commands in a batch; 0 = 512 */
    size_t queue_max;         /* number of places for requests; 0 = 4096 */
    uint32_t commit_retry_ms; /* how long to retry a batch whose COMMIT result was lost; 0 = 2000 */
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
 * Submits an event that only moves a cursor. The event does not start a batch, but joins the next batch that
 * another command starts. writer_hurry starts a batch for such events that are already waiting. Any thread.
 */
void writer_submit_patient(struct writer *writer, struct writer_command *command);
void writer_hurry(struct writer *writer);

/*
 * Submits a command and waits for its completion. Overwrites its `complete` and `context`. Returns its
 * outcome, with details in `error`, which must not be NULL. If `patience_ms` > 0, submits the command like
 * writer_submit_patient, and starts a batch after `patience_ms`. Never call it on the writer thread.
 */
MUST_CHECK enum status writer_submit_and_wait(struct writer *writer, struct writer_command *command,
                                              uint32_t patience_ms, struct error *error);

/*
 * Submits a request. If it is refused (see above), returns RESOURCE_EXHAUSTED `OVERLOADED` or, if the
 * database is away, UNAVAILABLE `NOT_READY`, each with retry_after_ms. The caller then keeps the command, and
 * `complete` is not called. Any thread.
 */
MUST_CHECK enum status writer_submit_request(struct writer *writer, struct writer_command *command,
                                             struct error *error);

/* Releases the place of a completed request from `source` that had keeps_place set. Any thread. */
void writer_release_place(struct writer *writer, uint64_t source);

/*
 * Returns a static text, without a newline, that says why the database is unusable. Returns NULL if the
 * database is usable. It is unusable if it caused the last batch to fail (a timeout counts), if the last
 * probe failed (an idle writer probes every 2 s, or every 0.5 s after a failure), if a batch or probe has
 * waited for its answer for 2 s, or if the database file was removed or replaced. Any thread.
 */
const char *writer_database_trouble(struct writer *writer);

#endif
