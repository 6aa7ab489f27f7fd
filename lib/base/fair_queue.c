#include "base/fair_queue.h"

#include "base/check.h"

enum { ADDRESS_SHIFT = 32 };

size_t fair_line_of(uint64_t source)
{
    return (uint32_t)source % FAIR_CONNECTIONS;
}

size_t fair_lane_of(uint64_t source)
{
    uint64_t address = source >> ADDRESS_SHIFT;
    return address == 0 ? 0 : 1 + address % (FAIR_ADDRESSES - 1);
}

/* ---- turns ---- */

static void add_turn(struct fair_turns *turns, struct queue_node *turn)
{
    queue_put(&turns->queue, turn);
    turns->count++;
}

static struct queue_node *take_turn(struct fair_turns *turns)
{
    CHECK((turns->queue.first == NULL) == (turns->count == 0));
    turns->count -= turns->count > 0;
    return queue_take(&turns->queue);
}

/* ---- the queue ---- */

void fair_queue_push(struct fair_queue *queue, struct fair_item *item)
{
    struct fair_line *line = &queue->lines[fair_line_of(item->source)];
    struct fair_lane *lane = &line->lanes[fair_lane_of(item->source)];
    queue_put(&lane->items, &item->node);
    if (lane->waiting++ == 0)
        add_turn(&line->turns, &lane->turn);
    if (line->waiting++ == 0)
        add_turn(&queue->turns, &line->turn);
    queue->waiting++;
}

static struct fair_item *pop_from_line(struct fair_line *line)
{
    struct fair_lane *lane = container_of(take_turn(&line->turns), struct fair_lane, turn);
    struct fair_item *item = container_of(queue_take(&lane->items), struct fair_item, node);
    CHECK(lane->waiting > 0 && lane->waiting <= line->waiting);
    if (--lane->waiting > 0)
        add_turn(&line->turns, &lane->turn);
    line->waiting--;
    return item;
}

/* Serves one item of a line. The caller has just taken the line's turn from the queue. */
static struct fair_item *serve_line(struct fair_queue *queue, struct fair_line *line)
{
    struct fair_item *item = pop_from_line(line);
    CHECK(queue->waiting > line->waiting);
    if (line->waiting > 0)
        add_turn(&queue->turns, &line->turn);
    queue->waiting--;
    return item;
}

struct fair_item *fair_queue_pop(struct fair_queue *queue)
{
    struct fair_line *line = container_of(take_turn(&queue->turns), struct fair_line, turn);
    return line != NULL ? serve_line(queue, line) : NULL;
}

struct fair_item *fair_queue_pop_if(struct fair_queue *queue, bool (*may)(void *context, uint64_t source),
                                    void *context)
{
    for (size_t turns = queue->turns.count; turns > 0; turns--) {
        struct fair_line *line = container_of(take_turn(&queue->turns), struct fair_line, turn);
        CHECK(line->waiting == line->lanes[0].waiting); /* no waiting source may name an address */
        if (may(context, container_of(line->lanes[0].items.first, struct fair_item, node)->source))
            return serve_line(queue, line);
        add_turn(&queue->turns, &line->turn);
    }
    return NULL;
}

/*
 * Returns an upper bound on the number of items served before a new item. The `own` items that share its turn
 * are served first. Every other turn serves at most one item before each of these, and one before the new
 * item. In all, no more than the `waiting` items can be served before it.
 */
static size_t count_ahead(size_t own, bool has_turn, const struct fair_turns *turns, size_t waiting)
{
    size_t others = has_turn ? turns->count - 1 : turns->count;
    size_t ahead = own + others * (own + 1);
    return ahead < waiting ? ahead : waiting;
}

size_t fair_queue_ahead(const struct fair_queue *queue, uint64_t source)
{
    const struct fair_line *line = &queue->lines[fair_line_of(source)];
    size_t own = line->lanes[fair_lane_of(source)].waiting;
    size_t in_line = count_ahead(own, own > 0, &line->turns, line->waiting);
    return count_ahead(in_line, line->waiting > 0, &queue->turns, queue->waiting);
}
