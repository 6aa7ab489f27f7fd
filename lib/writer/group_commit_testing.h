/*
 * A fake database for the tests of group_commit.c. A test scripts the results of begin, apply and commit; the
 * fake records the steps in order. Its apply skips commands whose effect is already in the database, as a
 * real apply does.
 */
#ifndef SCREENING_WRITER_GROUP_COMMIT_TESTING_H
#define SCREENING_WRITER_GROUP_COMMIT_TESTING_H

#include "base/unit_testing.h"
#include "writer/group_commit.h"

enum { COMMANDS_MAX = 512, ANSWERS_MAX = 16, TRACE_SIZE = 4096 };

struct test_command {
    struct writer_command head;
    bool poison;
    bool damage;     /* whether apply reads a damaged page */
    bool refused;    /* whether apply refuses the command because of a business rule */
    bool staged;     /* whether the command was applied in the open transaction */
    int in_database; /* how many times the command was applied and committed */
    int finished;
};

struct answers {
    enum status list[ANSWERS_MAX];
    size_t used;
};

struct fake {
    struct answers begin, apply, commit; /* results in order; OK after the last one */
    enum status commit_always;           /* if not OK, the result of every commit */
    bool lost_commit_lands;              /* whether a COMMIT that returns UNKNOWN takes effect */
    /*
     * One letter per step: B begin, A apply, C commit, R rollback, f finish, P committed, L read probe, W
     * write probe, r refuse the requests that wait.
     */
    char trace[TRACE_SIZE];
    size_t steps;
    struct test_command commands[COMMANDS_MAX];
    struct writer_command *batch[COMMANDS_MAX];
    size_t count;
    bool moved;                  /* whether the database file was moved */
    void (*while_waiting)(void); /* called during apply, commit and probes; NULL = nothing to do */
    struct group_commit commit_under_test;
};

extern struct fake fake;

/* Sets up each test. */
int set_up(void **state);

/* Runs the first `count` commands with a fresh trace. */
void run(size_t count);

void assert_ended(size_t i, enum status status, int in_database);
void assert_all_ended(size_t from, size_t to, enum status status, int in_database);

/* Returns how many times the step occurs in the trace. */
size_t steps_of(char step);

#endif
