/*
 * `lock` guards the members. It is never held during `begin` or `give_up`. Only one thread at a time begins
 * waiting turns, because a call that fails immediately ends inside its `begin`, and this end must not
 * recursively begin the next turn.
 */
#include "turns.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/admission.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/ticker.h"

enum { LOOK_MS = 100 };

struct turns {
    pthread_mutex_t lock;
    struct fair_queue *waiting;
    size_t places, taken;
    size_t by_line[FAIR_CONNECTIONS]; /* taken places by the line of their source */
    bool beginning;
    bool stopped;
    struct ticker *ticker;
};

static struct metric waiting_now =
    METRIC("gateway_calls_waiting", "Calls that wait for their turn at a service");
static struct metric given_up_total =
    METRIC("gateway_calls_given_up_total", "Calls refused because their turn did not come in time");

/* ---- the caller holds the lock ---- */

static bool has_room(void *context, uint64_t source)
{
    const struct turns *turns = context;
    return admission_has_room(turns->places, turns->taken, turns->by_line[fair_line_of(source)], false, 0);
}

static void take_place(struct turns *turns, uint64_t source)
{
    CHECK(turns->taken < turns->places);
    turns->taken++;
    turns->by_line[fair_line_of(source)]++;
}

static void put_waiting(struct turns *turns, struct turn *turn)
{
    CHECK(!turn->waited);
    turn->waited = true;
    fair_queue_push(turns->waiting, &turn->item);
    metric_add(&waiting_now, 1);
}

/* Takes the next turn that may begin now, and a place for it. Returns NULL if no turn may begin. */
static struct turn *take_waiting(struct turns *turns)
{
    struct fair_item *item = fair_queue_pop_if(turns->waiting, has_room, turns);
    if (item == NULL)
        return NULL;
    take_place(turns, item->source);
    metric_add(&waiting_now, -1);
    return container_of(item, struct turn, item);
}

/* Removes and returns the turns that expire by `now_ns`, linked by `item.node`. The rest stay in order. */
static struct queue take_expired(struct turns *turns, int64_t now_ns)
{
    struct queue expired = {0}, kept = {0};
    for (struct fair_item *item; (item = fair_queue_pop(turns->waiting)) != NULL;) {
        bool is_expired = container_of(item, struct turn, item)->deadline_ns <= now_ns;
        queue_put(is_expired ? &expired : &kept, &item->node);
        metric_add(&waiting_now, is_expired ? -1 : 0);
    }
    for (struct queue_node *node; (node = queue_take(&kept)) != NULL;)
        fair_queue_push(turns->waiting, container_of(node, struct fair_item, node));
    return expired;
}

/* ---- called without the lock ---- */

static void give_up_all(struct turns *turns, int64_t now_ns)
{
    pthread_mutex_lock(&turns->lock);
    struct queue expired = take_expired(turns, now_ns);
    pthread_mutex_unlock(&turns->lock);
    for (struct queue_node *node; (node = queue_take(&expired)) != NULL;) {
        struct turn *turn = container_of(node, struct turn, item.node);
        metric_add(&given_up_total, 1);
        turn->give_up(turn);
    }
}

static void look(void *context, struct ticker *ticker)
{
    (void)ticker;
    give_up_all(context, clock_monotonic_ns());
}

void turns_take(struct turns *turns, struct turn *turn)
{
    pthread_mutex_lock(&turns->lock);
    bool stopped = turns->stopped;
    bool now = !stopped && has_room(turns, turn->item.source);
    if (now)
        take_place(turns, turn->item.source);
    else if (!stopped)
        put_waiting(turns, turn);
    pthread_mutex_unlock(&turns->lock);
    if (now)
        turn->begin(turn);
    else if (stopped)
        turn->give_up(turn);
}

void turns_end(struct turns *turns, uint64_t source)
{
    pthread_mutex_lock(&turns->lock);
    CHECK(turns->taken > 0 && turns->by_line[fair_line_of(source)] > 0); /* each turn must end only once */
    turns->taken--;
    turns->by_line[fair_line_of(source)]--;
    bool mine = !turns->beginning;
    turns->beginning = true;
    struct turn *turn = mine ? take_waiting(turns) : NULL;
    while (turn != NULL) {
        pthread_mutex_unlock(&turns->lock);
        turn->begin(turn);
        pthread_mutex_lock(&turns->lock);
        turn = take_waiting(turns);
    }
    if (mine)
        turns->beginning = false;
    pthread_mutex_unlock(&turns->lock);
}

/* ---- opening and closing ---- */

static void release(struct turns *turns)
{
    pthread_mutex_destroy(&turns->lock);
    free(turns->waiting);
    free(turns);
}

enum status turns_open(size_t places, struct turns **out, struct error *error)
{
    struct turns *turns = calloc(1, sizeof *turns);
    struct fair_queue *waiting = calloc(1, sizeof *waiting);
    if (turns == NULL || waiting == NULL) {
        free(waiting);
        free(turns);
        return error_no_memory(error);
    }
    turns->waiting = waiting;
    turns->places = places;
    pthread_mutex_init(&turns->lock, NULL);
    metric_register(&waiting_now);
    metric_register(&given_up_total);
    enum status status = ticker_open(LOOK_MS, look, turns, &turns->ticker, error);
    if (status != STATUS_OK) {
        release(turns);
        return status;
    }
    *out = turns;
    return STATUS_OK;
}

void turns_stop(struct turns *turns)
{
    pthread_mutex_lock(&turns->lock);
    bool first = !turns->stopped;
    turns->stopped = true;
    pthread_mutex_unlock(&turns->lock);
    give_up_all(turns, INT64_MAX);
    if (first)
        ticker_stop(turns->ticker); /* waits for the turns that the ticker is giving up */
}

void turns_close(struct turns *turns)
{
    if (turns == NULL)
        return;
    CHECK(turns->waiting->waiting == 0 && turns->taken == 0);
    ticker_close(turns->ticker);
    release(turns);
}
