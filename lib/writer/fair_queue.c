#include "writer/fair_queue.h"

void fair_queue_init(struct fair_queue *queue)
{
    *queue = (struct fair_queue){.first = NULL};
    for (size_t i = 0; i < FAIR_SOURCES; i++)
        queue->lines[i].tail = &queue->lines[i].head;
}

/* The last turn is this line's. */
static void append_line(struct fair_queue *queue, struct fair_line *line)
{
    line->next = NULL;
    if (queue->first == NULL)
        queue->first = line;
    else
        queue->last->next = line;
    queue->last = line;
    queue->turns++;
}

static struct fair_line *take_line(struct fair_queue *queue)
{
    struct fair_line *line = queue->first;

    if (line != NULL) {
        queue->first = line->next;
        queue->turns--;
    }
    return line;
}

void fair_queue_push(struct fair_queue *queue, struct writer_command *command)
{
    struct fair_line *line = &queue->lines[command->source % FAIR_SOURCES];

    command->next = NULL;
    *line->tail = command;
    line->tail = &command->next;
    queue->waiting++;
    if (line->waiting++ == 0)
        append_line(queue, line);
}

struct writer_command *fair_queue_pop(struct fair_queue *queue)
{
    struct fair_line *line = take_line(queue);

    if (line == NULL)
        return NULL;
    struct writer_command *command = line->head;
    line->head = command->next;
    if (line->head == NULL)
        line->tail = &line->head;
    queue->waiting--;
    if (--line->waiting > 0)
        append_line(queue, line);
    return command;
}

size_t fair_queue_ahead(const struct fair_queue *queue, uint32_t source)
{
    size_t own = queue->lines[source % FAIR_SOURCES].waiting;
    size_t others = own > 0 ? queue->turns - 1 : queue->turns;
    size_t ahead =
        own + others * (own + 1); /* each of the others may go before each of its own, and before itself */

    return ahead < queue->waiting ? ahead : queue->waiting;
}
