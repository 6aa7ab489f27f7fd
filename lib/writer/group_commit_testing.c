#include "writer/group_commit_testing.h"

#include <string.h>

struct fake fake;

static void note(char step)
{
    if (fake.while_waiting != NULL && strchr("ACLW", step) != NULL)
        fake.while_waiting();
    if (fake.steps < TRACE_SIZE - 1)
        fake.trace[fake.steps++] = step;
}

static enum status answer(struct answers *answers, struct error *error)
{
    enum status status = answers->used < ANSWERS_MAX ? answers->list[answers->used++] : STATUS_OK;
    return status == STATUS_OK ? STATUS_OK : error_set(error, status, NULL, "scripted");
}

/* ---- the database ---- */

enum status db_begin(struct db *db, struct error *error)
{
    (void)db;
    note('B');
    return answer(&fake.begin, error);
}

static void end_transaction(bool committed)
{
    for (size_t i = 0; i < fake.count; i++) {
        fake.commands[i].in_database += committed && fake.commands[i].staged ? 1 : 0;
        fake.commands[i].staged = false;
    }
}

enum status db_commit(struct db *db, struct error *error)
{
    enum status status = answer(&fake.commit, error);
    (void)db;
    note('C');
    if (fake.commit_always != STATUS_OK)
        status = error_set(error, fake.commit_always, NULL, "scripted");
    end_transaction(status == STATUS_OK || (status == STATUS_UNKNOWN && fake.lost_commit_lands));
    return status;
}

void db_rollback(struct db *db)
{
    (void)db;
    note('R');
    end_transaction(false);
}

bool db_is_damaged(const struct error *error)
{
    return strcmp(error->reason, DB_DAMAGED) == 0;
}

enum status db_probe(struct db *db, bool write, struct error *error)
{
    (void)db;
    note(write ? 'W' : 'L');
    return answer(&fake.begin, error);
}

bool db_in_place(struct db *db)
{
    (void)db;
    return !fake.moved;
}

/* ---- the service ---- */

static enum status apply(void *context, struct db *db, struct writer_command *const *commands, size_t count,
                         struct error *error)
{
    enum status status = answer(&fake.apply, error);
    (void)context;
    (void)db;
    note('A');
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        struct test_command *command = (struct test_command *)commands[i];
        assert_int_equal(command->head.outcome.status, STATUS_OK);
        if (command->poison)
            return error_set(error, STATUS_INTERNAL, NULL, "poison");
        if (command->damage)
            return error_set(error, STATUS_UNAVAILABLE, DB_DAMAGED, "page 7");
        if (command->refused)
            error_set(&command->head.outcome, STATUS_FAILED_PRECONDITION, "SOLD_OUT", "no place left");
        else
            command->staged = command->in_database == 0;
    }
    return status;
}

static void committed(void *context)
{
    (void)context;
    note('P');
}

static void finish(void *owner, struct writer_command *command)
{
    (void)owner;
    note('f');
    ((struct test_command *)command)->finished++;
}

static void refuse_waiting(void *owner)
{
    (void)owner;
    note('r');
}

/* ---- helpers ---- */

int set_up(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof fake);
    fake.commit_under_test = (struct group_commit){
        .ops = {.apply = apply, .committed = committed},
        .commit_retry_ms = 2000,
        .finish = finish,
        .refuse_waiting = refuse_waiting,
    };
    atomic_init(&fake.commit_under_test.trouble, NULL);
    return 0;
}

void run(size_t count)
{
    fake.count = count;
    fake.steps = 0;
    memset(fake.trace, 0, sizeof fake.trace);
    for (size_t i = 0; i < count; i++)
        fake.batch[i] = &fake.commands[i].head;
    size_t live = group_commit_drop_expired(&fake.commit_under_test, fake.batch, count);
    if (live > 0)
        group_commit_run(&fake.commit_under_test, fake.batch, live);
}

void assert_ended(size_t i, enum status status, int in_database)
{
    assert_int_equal(fake.commands[i].finished, 1);
    assert_int_equal(fake.commands[i].head.outcome.status, status);
    assert_int_equal(fake.commands[i].in_database, in_database);
}

void assert_all_ended(size_t from, size_t to, enum status status, int in_database)
{
    for (size_t i = from; i < to; i++)
        assert_ended(i, status, in_database);
}

size_t steps_of(char step)
{
    size_t count = 0;
    for (const char *at = fake.trace; *at != '\0'; at++)
        count += *at == step ? 1 : 0;
    return count;
}
