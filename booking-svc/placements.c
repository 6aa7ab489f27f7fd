#include "placements.h"

#include "reserver.h"
#include "wire.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/check.h"
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
    struct booking_command command;
    atomic_flag *looking;
};

struct placements {
    struct writer *writer;
    struct reserver *reserver;
    struct look look; /* owned by the writer while `looking` is set */
    atomic_flag looking;
    /* Guards by_id, counts and every placement's waiters; not held in callbacks. */
    pthread_mutex_t lock;
    struct map by_id; /* booking_id -> struct placement */
    struct placement_counts counts;
};

struct placements *placements_create(void)
{
    struct placements *table = calloc(1, sizeof *table);
    if (table == NULL)
        return NULL;
    pthread_mutex_init(&table->lock, NULL);
    map_init(&table->by_id, sizeof(struct uuid));
    metric_register(&settled_total);
    metric_register(&unsettled_total);
    metric_register(&fenced_total);
    return table;
}

void placements_destroy(struct placements *table)
{
    if (table == NULL)
        return;
    /* All bookings must have been settled or given up. */
    CHECK(table->by_id.count == 0 && table->counts.taken_up == 0);
    map_fini(&table->by_id);
    pthread_mutex_destroy(&table->lock);
    free(table);
}

void placements_connect(struct placements *table, struct writer *writer, struct reserver *reserver)
{
    table->writer = writer;
    table->reserver = reserver;
}

static void looked(struct writer_command *command)
{
    struct look *look = container_of(command, struct look, command.writer);
    atomic_flag_clear(look->looking);
}

void placements_look(struct placements *table)
{
    if (atomic_flag_test_and_set(&table->looking))
        return;
    table->look.command = (struct booking_command){.kind = COMMAND_LOOK,
                                                   .writer = {.class = WRITER_SETTLE, .complete = looked}};
    table->look.looking = &table->looking;
    writer_submit(table->writer, &table->look.command.writer);
}

bool placement_is_under_way(struct placements *table, const struct uuid *booking_id)
{
    pthread_mutex_lock(&table->lock);
    bool found = map_get(&table->by_id, booking_id) != NULL;
    pthread_mutex_unlock(&table->lock);
    return found;
}

struct placement_counts placements_counts(struct placements *table)
{
    pthread_mutex_lock(&table->lock);
    struct placement_counts counts = table->counts;
    counts.in_flight = table->by_id.count;
    pthread_mutex_unlock(&table->lock);
    return counts;
}

bool placement_is_background(const struct placement *placement)
{
    return placement->command.by_settler && placement->deadline_ns == 0;
}

/* ---- answers ---- */

static void answer_booking(const struct placement *placement, const struct booking *booking)
{
    struct error refusal;
    if (booking->status == SCREENING__V1__BOOKING_STATUS__REJECTED) {
        booking_rejection(booking, reserver_wait_ms(placement->table->reserver), &refusal);
        rpc_call_fail(placement->call, &refusal);
        return;
    }
    struct booking_wire wire;
    rpc_call_reply(placement->call, &booking_wire_fill(&wire, booking)->base);
}

/* Ends a placement: answers its caller, if there is one, and frees the placement. */
static void answer(struct placement *placement, const struct error *outcome, const struct booking *booking)
{
    if (placement->call == NULL) {
        free(placement);
        return;
    }
    struct writer *writer = placement->table->writer;
    uint64_t source = placement->command.writer.item.source; /* the answer frees the placement */
    if (outcome->status != STATUS_OK)
        rpc_call_fail(placement->call, outcome);
    else
        answer_booking(placement, booking);
    writer_release_place(writer, source);
}

/* Removes a placement from the table, and answers its caller and all waiters. Runs on the writer thread. */
static void finish(struct placement *placement)
{
    struct placements *table = placement->table;
    pthread_mutex_lock(&table->lock);
    const struct placement *removed = map_remove(&table->by_id, &placement->command.booking_id);
    CHECK(removed == placement);
    CHECK(!placement->command.by_settler || table->counts.taken_up > 0);
    table->counts.taken_up -= placement->command.by_settler;
    table->counts.put_off +=
        placement->command.by_settler && (placement->tried || placement->command.ask_again);
    pthread_mutex_unlock(&table->lock);
    const struct error outcome = placement->command.writer.outcome;
    const struct booking *booking = placement->command.booking;
    for (struct queue_node *node; (node = queue_take(&placement->waiters)) != NULL;)
        answer(container_of(node, struct placement, node), &outcome, booking);
    answer(placement, &outcome, booking);
}

/* Requests the place again. Returns false for a booking of the settler, or if the reserver has stopped. */
static bool ask_again(struct placement *placement)
{
    if (placement->command.by_settler)
        return false;
    if (reserver_ask_again(placement->table->reserver, placement))
        return true;
    error_set(&placement->command.writer.outcome, STATUS_UNAVAILABLE, NULL,
              "the service is stopping; ask again with the same id");
    return false;
}

static void settled(struct writer_command *command)
{
    struct placement *placement = container_of(command, struct placement, command.writer);
    CHECK(placement->command.kind == COMMAND_SETTLE);
    if (command->outcome.status == STATUS_OK && placement->command.ask_again) {
        metric_add(&fenced_total, 1);
        if (ask_again(placement))
            return;
    }
    metric_add(command->outcome.status == STATUS_OK ? &settled_total : &unsettled_total, 1);
    log_event(
        LOG_DEBUG, "booking.settled", LOG_UUID("booking_id", &placement->command.booking_id),
        LOG_TEXT("request_id", placement->call != NULL ? rpc_call_request_id(placement->call) : "settler"),
        LOG_TEXT("status", status_name(command->outcome.status)));
    finish(placement);
}

/* ---- starting a placement ---- */

/* Passes a placement in the table to the reserver. If the reserver has stopped, the settler resumes the
 * booking after the next start. */
static void reserve(struct placement *placement)
{
    if (reserver_submit(placement->table->reserver, placement))
        return;
    error_set(&placement->command.writer.outcome, STATUS_UNAVAILABLE, NULL,
              "the service is stopping; ask again with the same id");
    finish(placement);
}

enum start { STARTED, JOINED, START_FAILED };

/* Adds the placement to the table or, if another placement of its booking is already in flight, to that
 * placement's waiters. */
static enum start start_or_join(struct placements *table, struct placement *placement)
{
    enum start result = STARTED;
    pthread_mutex_lock(&table->lock);
    struct placement *leader = map_get(&table->by_id, &placement->command.booking_id);
    CHECK(leader != placement && placement->waiters.first == NULL);
    if (leader != NULL) {
        queue_put(&leader->waiters, &placement->node);
        if (placement->deadline_ns > leader->deadline_ns)
            leader->deadline_ns = placement->deadline_ns;
        result = JOINED;
    } else if (map_put(&table->by_id, &placement->command.booking_id, placement) != STATUS_OK) {
        result = START_FAILED;
    }
    pthread_mutex_unlock(&table->lock);
    return result;
}

/*
 * Continues after the CREATE, which has created the booking (and perhaps settled it in the same commit) or
 * found an existing one. A REQUESTED booking that was not announced is passed to the reserver. An announced
 * booking that is not in flight is left to the settler, and the answer is its current state.
 */
static void created(struct writer_command *command)
{
    struct placement *placement = container_of(command, struct placement, command.writer);
    const struct booking *booking = placement->command.booking;
    CHECK(placement->command.kind == COMMAND_CREATE);
    bool settle = command->outcome.status == STATUS_OK &&
                  booking->status == SCREENING__V1__BOOKING_STATUS__REQUESTED &&
                  (!booking->announced || placement_is_under_way(placement->table, &booking->booking_id));
    if (!settle) {
        answer(placement, &command->outcome, booking);
        return;
    }
    switch (start_or_join(placement->table, placement)) {
    case STARTED:
        reserve(placement);
        break;
    case JOINED:
        break;
    case START_FAILED:
        error_set(&command->outcome, STATUS_UNAVAILABLE, NULL, "out of memory; ask again with the same id");
        answer(placement, &command->outcome, booking);
        break;
    }
}

enum status placement_create(struct placements *table, struct placement *placement, struct error *error)
{
    placement->table = table;
    placement->deadline_ns = rpc_call_deadline_ns(placement->call);
    placement->command.kind = COMMAND_CREATE;
    placement->command.writer.keeps_place = true;
    return handler_write(table->writer, &placement->command.writer, created, placement->call, error);
}

static void met(struct writer_command *command)
{
    struct placement *placement = container_of(command, struct placement, command.writer);
    CHECK(placement->command.kind == COMMAND_RESUME && placement->command.by_settler);
    if (command->outcome.status == STATUS_OK &&
        placement->command.booking->status == SCREENING__V1__BOOKING_STATUS__REQUESTED)
        reserve(placement);
    else
        finish(placement);
}

enum status placement_take_up(struct placements *table, const struct booking *booking, struct error *error)
{
    struct placement *placement = calloc(1, sizeof *placement);
    if (placement == NULL)
        return error_no_memory(error);
    placement->table = table;
    placement->hospital_id = booking->hospital_id;
    placement->day = booking->day;
    placement->headcount = booking->headcount;
    placement->command.kind = COMMAND_RESUME;
    placement->command.booking_id = booking->booking_id;
    placement->command.by_settler = true;
    placement->command.traceparent = "";
    placement->command.writer.class = WRITER_BACKGROUND;
    placement->command.writer.complete = met;
    pthread_mutex_lock(&table->lock);
    bool ours = map_get(&table->by_id, &booking->booking_id) == NULL &&
                map_put(&table->by_id, &booking->booking_id, placement) == STATUS_OK;
    table->counts.taken_up += ours;
    pthread_mutex_unlock(&table->lock);
    if (ours)
        writer_submit(table->writer, &placement->command.writer);
    else
        free(placement);
    return STATUS_OK;
}

void placement_settle(struct placements *table, struct queue ended)
{
    struct queue commands = {0};
    LIST_EACH(struct placement, placement, &ended, node) {
        CHECK(placement->table == table && placement->command.kind != COMMAND_CANCEL);
        placement->command.kind = COMMAND_SETTLE;
        placement->command.hospital_id = placement->hospital_id;
        placement->command.writer.class =
            placement_is_background(placement) ? WRITER_BACKGROUND : WRITER_SETTLE;
        placement->command.writer.deadline_ns = 0;
        placement->command.writer.complete = settled;
        queue_put(&commands, &placement->command.writer.item.node);
    }
    if (commands.first != NULL)
        writer_submit_all(table->writer, commands);
}
