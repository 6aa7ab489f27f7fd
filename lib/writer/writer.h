/*
 * The one way that state changes: one writer thread per process drains everything that waits into one
 * transaction (group commit), without any artificial delay.
 *
 *     writer_submit -> queue -> begin, apply(batch), commit -> complete each command -> committed(batch)
 *
 * Order in a batch: settles, then events, then requests, then background commands. Requests: their sources
 * take turns (base/fair_queue.h); all others: first come, first served. At most `batch_max` commands.
 * Background commands have an eighth of the batch: requests leave it to them, and they never take more,
 * however many wait, so that a request never waits for a batch full of them.
 *
 * Requests only are refused, and at once: when all places are taken that their source may take
 * (base/admission.h), or when, as the queue goes now, half of the request's time would have gone by
 * before its batch begins. A queue that is worked off slower than budgets end would else be full of requests
 * that each begin too late: all work, and nobody served.
 *
 * Failures of a batch, when apply or commit returns
 *   - UNKNOWN (a COMMIT whose answer was lost): the batch is applied again, since every command is guarded by
 *     its id, status or cursor, or finds what it did; after `commit_retry_ms` it is answered UNAVAILABLE;
 *   - ABORTED: the batch is applied again at once, a few times; then UNAVAILABLE;
 *   - another transient status: every command is completed with UNAVAILABLE;
 *   - anything else: the batch is poisoned. It is run again, one command per transaction; the command that
 *     fails alone is completed with INTERNAL and logged; only an event's outcome tells the cause.
 */
#ifndef SCREENING_WRITER_WRITER_H
#define SCREENING_WRITER_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fair_queue.h"
#include "base/status.h"
#include "db/db.h"

struct writer;

/* WRITER_BACKGROUND: what nobody waits for, such as working off a backlog. */
enum writer_class { WRITER_SETTLE, WRITER_EVENT, WRITER_BACKGROUND, WRITER_REQUEST };

/*
 * The head of every command: embed it as the first member of your own. It belongs to the writer from a
 * successful submit until `complete` is called.
 */
struct writer_command {
    /* First member. `next` is the writer's own; `source` is of a request: who sent it, as far as it is known.
     * What has no source shares one. */
    struct fair_item item;
    enum writer_class class;
    /* Monotonic; 0 = none. A command whose deadline has passed when its batch begins is not applied and takes
     * no room in it, but is completed with DEADLINE_EXCEEDED: nothing was written. */
    int64_t deadline_ns;
    /* The outcome. apply sets it (an outcome other than OK is a refusal, it does not fail the batch); when
     * the batch fails, the writer does. Cleared before each apply. */
    struct error outcome;
    /* A request that keeps its place of the bound after completion, until writer_release_place. */
    bool keeps_place;
    /* Called once, on the writer thread, after the commit or the failure. Must not block. May free the
     * command and submit others. */
    void (*complete)(struct writer_command *command);
};

struct writer_ops {
    /*
     * Loads, decides and saves the whole batch inside an open transaction. Also called again for the same
     * commands after a failure: it must start from the database each time. A status other than OK fails the
     * batch.
     */
    enum status (*apply)(void *context, struct db *db, struct writer_command *const *commands, size_t count,
                         struct error *error);
    /* Before and after the completions of a whole batch: what they answer may be sent together. Writer
     * thread. May be NULL. */
    void (*completing)(void *context);
    void (*completed)(void *context);
    /* After commit and all completions: publish. Writer thread. May be NULL. */
    void (*committed)(void *context);
    void *context;
};

struct writer_options {
    size_t batch_max;         /* 0 = 512 */
    size_t queue_max;         /* places for requests; 0 = 4096 */
    uint32_t commit_retry_ms; /* 0 = 2000 */
};

/*
 * Takes over `db` (closes it at the end) and starts the thread. RESOURCE_EXHAUSTED when that fails, and db
 * stays the caller's.
 */
MUST_CHECK enum status writer_open(struct db *db, const struct writer_options *options,
                                   const struct writer_ops *ops, struct writer **out, struct error *error);

/* Applies everything that still waits, ends the thread, closes the database. No submit may run or follow. */
void writer_close(struct writer *writer);

/*
 * Hands in a settle, an event or a background command. Never refused, never blocks. Any thread, also from
 * `complete`.
 */
void writer_submit(struct writer *writer, struct writer_command *command);

/* The same for a chain of `count` commands linked by `item.next`, with one wake-up. */
void writer_submit_chain(struct writer *writer, struct writer_command *first, size_t count);

/*
 * Hands in an event that changes nothing but a cursor: a commit of its own would be a waste. It goes with the
 * next batch that others begin, or when writer_hurry is called. Any thread.
 */
void writer_submit_patient(struct writer *writer, struct writer_command *command);
void writer_hurry(struct writer *writer);

/*
 * Hands a request in. RESOURCE_EXHAUSTED `OVERLOADED` with retry_after_ms if it is refused (see above): the
 * command is still the caller's, and `complete` will not be called. Any thread.
 */
MUST_CHECK enum status writer_submit_request(struct writer *writer, struct writer_command *command,
                                             struct error *error);

/* Gives back the place of a request from `source` that had keeps_place set. Any thread. */
void writer_release_place(struct writer *writer, uint64_t source);

/*
 * Why the service is not ready for want of its database, a line that stays, without a newline: the last batch
 * failed for it, or, without batches, the last look for it, every two seconds; or its file is not in its
 * place any more. NULL = it is ready. Any thread.
 */
const char *writer_database_trouble(struct writer *writer);

#endif
