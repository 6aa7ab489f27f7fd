/*
 * One batch against the database: its transaction, what is tried again, and how a failure is told to its
 * commands. Knows nothing of queues or places. Everything runs on the writer thread, except
 * group_commit_database_trouble.
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
    uint32_t commit_retry_ms; /* how long a batch whose COMMIT was lost is applied again */
    /* Ends a command, its outcome set; the command is gone afterwards. */
    void (*finish)(void *owner, struct writer_command *command);
    void *owner;
    struct repeat outage;          /* the writer thread's */
    _Atomic(const char *) trouble; /* with the database, a line that stays; starts NULL = none */
};

/*
 * Finishes the commands whose deadline has passed: nothing was written. The others move to the front, in
 * their order; returns how many they are.
 */
size_t group_commit_drop_expired(struct group_commit *commit, struct writer_command **commands, size_t count);

/*
 * Applies and commits the commands (one at least), with the rules of writer.h, and finishes each exactly
 * once. `commands` is reordered.
 */
void group_commit_run(struct group_commit *commit, struct writer_command **commands, size_t count);

/* Looks whether the database is there, and after a failure whether it takes writes again. Writer thread. */
void group_commit_probe(struct group_commit *commit);

/* Whether the last batch or look failed for the database. Does not look itself. Any thread. */
bool group_commit_writes_fail(const struct group_commit *commit);

/* As writer_database_trouble. Any thread. */
const char *group_commit_database_trouble(struct group_commit *commit);

#endif
