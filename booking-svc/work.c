#include "work.h"

#include "reserver.h"
#include "wire.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/map.h"
#include "base/metrics.h"
#include "service/handler.h"

static struct metric settled_total = METRIC("bookings_settled_total", "Bookings whose settle was committed");
static struct metric unsettled_total =
    METRIC("bookings_left_to_settler_total", "Bookings whose settle could not be committed");

static struct metric fenced_total =
    METRIC("reserve_grants_of_another_era_total", "Grants that were not settled, but asked for again");

struct look {
    struct booking_command command; /* must be first: the writer passes it to `complete` */
    atomic_flag *looking;
};

struct work_table {
    struct writer *writer;
    struct reserver *reserver;
    struct look look; /* held by the writer while `looking` is set */
    atomic_flag looking;
    pthread_mutex_t
        lock;         /* guards the fields below and every work's waiters; no callback runs with it held */
    struct map works; /* booking_id -> struct work */
    size_t taken_up;  /* number of these that the settler took up */
    size_t put_off;   /* total of the settler's works put off so far */
};

struct work_table *work_table_create(void)
{
    struct work_table *table = calloc(1, sizeof *table);
    if (table == NULL)
        return NULL;
    pthread_mutex_init(&table->lock, NULL);
    map_init(&table->works, sizeof(struct uuid));
    metric_register(&settled_total);
    metric_register(&unsettled_total);
    metric_register(&fenced_total);
    return table;
}

void work_table_destroy(struct work_table *table)
{
    if (table == NULL)
        return;
    map_fini(&table->works);
    pthread_mutex_destroy(&table->lock);
    free(table);
}

void work_table_connect(struct work_table *table, struct writer *writer, struct reserver *reserver)
{
    table->writer = writer;
    table->reserver = reserver;
}

static void looked(struct writer_command *command)
{
    struct look *look = (struct look *)command;
    atomic_flag_clear(look->looking);
}

void work_table_look(struct work_table *table)
{
    if (atomic_flag_test_and_set(&table->looking))
        return;
    table->look.command = (struct booking_command){.kind = COMMAND_LOOK,
                                                   .writer = {.class = WRITER_SETTLE, .complete = looked}};
    table->look.looking = &table->looking;
    writer_submit(table->writer, &table->look.command.writer);
}

bool work_is_under_way(struct work_table *table, const struct uuid *booking_id)
{
    pthread_mutex_lock(&table->lock);
    bool found = map_get(&table->works, booking_id) != NULL;
    pthread_mutex_unlock(&table->lock);
    return found;
}

size_t work_count(struct work_table *table)
{
    pthread_mutex_lock(&table->lock);
    size_t count = table->works.count;
    pthread_mutex_unlock(&table->lock);
    return count;
}

size_t work_count_taken_up(struct work_table *table)
{
    pthread_mutex_lock(&table->lock);
    size_t count = table->taken_up;
    pthread_mutex_unlock(&table->lock);
    return count;
}

size_t work_count_put_off(struct work_table *table)
{
    pthread_mutex_lock(&table->lock);
    size_t count = table->put_off;
    pthread_mutex_unlock(&table->lock);
    return count;
}

bool work_is_background(const struct work *work)
{
    return work->command.by_settler && work->deadline_ns == 0;
}

/* ---- answers ---- */

static void answer_booking(const struct work *work, const struct booking *booking)
{
    struct error refusal;
    if (booking->status == BOOKING_REJECTED) {
        booking_rejection(booking, reserver_unavailable_ms(work->table->reserver), &refusal);
        rpc_call_fail(work->call, &refusal);
        return;
    }
    struct booking_wire wire;
    rpc_call_reply(work->call, &booking_wire_fill(&wire, booking)->base);
}

/* Ends one work and answers its caller, if it has one. The work is freed. */
static void answer(struct work *work, const struct error *outcome, const struct booking *booking)
{
    if (work->call == NULL) {
        free(work);
        return;
    }
    struct writer *writer = work->table->writer;
    uint64_t source = work->command.writer.item.source; /* the answer frees the work */
    if (outcome->status != STATUS_OK)
        rpc_call_fail(work->call, outcome);
    else
        answer_booking(work, booking);
    writer_release_place(writer, source);
}

/* Removes a work from the table, and answers it and all its waiters. Writer thread. */
static void finish(struct work *work)
{
    struct work_table *table = work->table;
    pthread_mutex_lock(&table->lock);
    map_remove(&table->works, &work->command.booking_id);
    table->taken_up -= work->command.by_settler;
    table->put_off += work->command.by_settler && (work->tried || work->command.ask_again);
    pthread_mutex_unlock(&table->lock);
    const struct error outcome = work->command.writer.outcome;
    const struct booking *booking = work->command.booking;
    for (struct work *waiter = work->waiters, *next; waiter != NULL; waiter = next) {
        next = waiter->next;
        answer(waiter, &outcome, booking);
    }
    answer(work, &outcome, booking);
}

/* Asks for the place again. False if no client waits for it, or if the service is stopping. */
static bool ask_again(struct work *work)
{
    if (work->command.by_settler)
        return false;
    if (reserver_ask_again(work->table->reserver, work))
        return true;
    error_set(&work->command.writer.outcome, STATUS_UNAVAILABLE, NULL,
              "the service is stopping; ask again with the same id");
    return false;
}

static void settled(struct writer_command *command)
{
    struct work *work = (struct work *)command;
    if (command->outcome.status == STATUS_OK && work->command.ask_again) {
        metric_add(&fenced_total, 1);
        if (ask_again(work))
            return;
    }
    metric_add(command->outcome.status == STATUS_OK ? &settled_total : &unsettled_total, 1);
    log_event(LOG_DEBUG, "booking.settled", LOG_UUID("booking_id", &work->command.booking_id),
              LOG_TEXT("request_id", work->call != NULL ? rpc_call_request_id(work->call) : "settler"),
              LOG_TEXT("status", status_name(command->outcome.status)));
    finish(work);
}

/* ---- starting work ---- */

/* Passes a work of the table to the reserver. If that has stopped, the settler takes the booking up after the
 * next start. */
static void reserve(struct work *work)
{
    if (reserver_submit(work->table->reserver, work))
        return;
    error_set(&work->command.writer.outcome, STATUS_UNAVAILABLE, NULL,
              "the service is stopping; ask again with the same id");
    finish(work);
}

/* Adds the work to the table or, if its booking is already in flight, to the waiters of that work. */
enum start { STARTED, JOINED, START_FAILED };

static enum start start_or_join(struct work_table *table, struct work *work)
{
    enum start result = STARTED;
    pthread_mutex_lock(&table->lock);
    struct work *leader = map_get(&table->works, &work->command.booking_id);
    if (leader != NULL) {
        work->next = leader->waiters;
        leader->waiters = work;
        if (work->deadline_ns > leader->deadline_ns)
            leader->deadline_ns = work->deadline_ns;
        result = JOINED;
    } else if (map_put(&table->works, &work->command.booking_id, work) != STATUS_OK) {
        result = START_FAILED;
    }
    pthread_mutex_unlock(&table->lock);
    return result;
}

/*
 * The intent is committed (and perhaps settled in the same commit), or an existing booking was found. A
 * REQUESTED booking that was not announced is worked on. An announced one is left to the settler and its
 * current state is the answer, unless it is in flight now.
 */
static void created(struct writer_command *command)
{
    struct work *work = (struct work *)command;
    const struct booking *booking = work->command.booking;
    bool settle = command->outcome.status == STATUS_OK && booking->status == BOOKING_REQUESTED &&
                  (!booking->announced || work_is_under_way(work->table, &booking->booking_id));
    if (!settle) {
        answer(work, &command->outcome, booking);
        return;
    }
    switch (start_or_join(work->table, work)) {
    case STARTED:
        reserve(work);
        break;
    case JOINED:
        break;
    case START_FAILED:
        error_set(&command->outcome, STATUS_UNAVAILABLE, NULL, "out of memory; ask again with the same id");
        answer(work, &command->outcome, booking);
        break;
    }
}

enum status work_create(struct work_table *table, struct work *work, struct error *error)
{
    work->table = table;
    work->deadline_ns = rpc_call_deadline_ns(work->call);
    work->command.kind = COMMAND_CREATE;
    work->command.writer.keeps_place = true;
    return handler_write(table->writer, &work->command.writer, created, work->call, error);
}

static void met(struct writer_command *command)
{
    struct work *work = (struct work *)command;
    if (command->outcome.status == STATUS_OK && work->command.booking->status == BOOKING_REQUESTED)
        reserve(work);
    else
        finish(work);
}

enum status work_take_up(struct work_table *table, const struct booking *booking, struct error *error)
{
    struct work *work = calloc(1, sizeof *work);
    if (work == NULL)
        return error_no_memory(error);
    work->table = table;
    work->hospital_id = booking->hospital_id;
    work->day = booking->day;
    work->headcount = booking->headcount;
    work->command.kind = COMMAND_MEET;
    work->command.booking_id = booking->booking_id;
    work->command.by_settler = true;
    work->command.traceparent = "";
    work->command.writer.class = WRITER_BACKGROUND;
    work->command.writer.complete = met;
    pthread_mutex_lock(&table->lock);
    bool ours = map_get(&table->works, &booking->booking_id) == NULL &&
                map_put(&table->works, &booking->booking_id, work) == STATUS_OK;
    table->taken_up += ours;
    pthread_mutex_unlock(&table->lock);
    if (ours)
        writer_submit(table->writer, &work->command.writer);
    else
        free(work);
    return STATUS_OK;
}

void work_settle(struct work_table *table, struct work *chain)
{
    struct queue commands = {0};
    for (struct work *work = chain; work != NULL; work = work->next) {
        work->command.kind = COMMAND_SETTLE;
        work->command.hospital_id = work->hospital_id;
        work->command.writer.class = work_is_background(work) ? WRITER_BACKGROUND : WRITER_SETTLE;
        work->command.writer.deadline_ns = 0;
        work->command.writer.complete = settled;
        queue_put(&commands, &work->command.writer.item.node);
    }
    if (chain != NULL)
        writer_submit_all(table->writer, commands);
}
