/*
 * Runs one batch against the database: its transaction, its retries, and the outcome of its commands if it
 * fails. It does not deal with queues or places. Everything runs on the writer thread, except
 * group_commit_writes_fail and group_commit_database_trouble.
 */
#ifndef SCREENING_WRITER_GROUP_COMMIT_H
#define SCREENING_WRITER_GROUP_COMMIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/repeat.h"
#include "db/db.h"
#include "writer/writer.h"

struct group_commit {
    struct db *db;
    struct writer_ops ops;
    uint32_t commit_retry_ms; /* how long to keep retrying a batch whose COMMIT result was lost */
    /* Completes a command whose outcome is set. The callee may free the command. */
    void (*finish)(void *owner, struct writer_command *command);
    /*
     * Called while a batch whose COMMIT has no answer waits for a database that is away. Completes the
     * requests that wait for the next batch, with trouble_refuse.
     */
    void (*refuse_waiting)(void *owner);
    void *owner;
    /* Whether a COMMIT of the batch that runs has had no answer; used by the writer thread only. */
    bool doubtful;
    /* Whether the last transaction could not begin, because the database is away. */
    atomic_bool away;
    struct repeat outage;          /* used by the writer thread only */
    _Atomic(const char *) trouble; /* static text saying why the database is unusable; NULL = usable */
    /* Monotonic: when the batch or probe that runs began, or had its last answer; 0 = none runs. */
    atomic_int_fast64_t heard_ns;
};

/*
 * Completes the commands whose deadline has passed, for which nothing was written. Moves the other commands
 * to the front, in their order, and returns their number.
 */
size_t group_commit_drop_expired(struct group_commit *commit, struct writer_command **commands, size_t count);

/*
 * Applies and commits the commands (at least one) according to the rules in writer.h, and finishes each
 * exactly once. Reorders `commands`.
 */
void group_commit_run(struct group_commit *commit, struct writer_command **commands, size_t count);

/* Checks that the database is reachable and, after a failure, that it accepts writes again. Writer thread. */
void group_commit_probe(struct group_commit *commit);

/* Returns whether the last batch or probe failed because of the database. Does not probe. Any thread. */
bool group_commit_writes_fail(const struct group_commit *commit);

/*
 * Returns whether to refuse a new request with trouble_refuse, because it would wait for a database that is
 * known to be away: the batch or probe that runs could not begin its transaction so far, or has had no answer
 * for 2 s. A request that finds nothing running is not refused, because its batch is the next attempt. Any
 * thread.
 */
bool group_commit_refuses(const struct group_commit *commit, int64_t now_ns);

/* Like writer_database_trouble. Any thread. */
const char *group_commit_database_trouble(struct group_commit *commit);

#endif
