/*
 * Intrusive lists. The members embed a node, so nothing is allocated. container_of (base/container.h) leads
 * from the node to the member. A node is in at most one list at a time. Not thread-safe.
 */
#ifndef SCREENING_BASE_QUEUE_H
#define SCREENING_BASE_QUEUE_H

#include <stddef.h>

#include "base/check.h"
#include "base/container.h"

/* ---- first in, first out ---- */

struct queue_node {
    struct queue_node *next; /* valid while in a queue */
};

/* Empty when all zero. `last` is valid unless the queue is empty. */
struct queue {
    struct queue_node *first, *last;
};

static inline void queue_put(struct queue *queue, struct queue_node *node)
{
    CHECK(queue->first == NULL || queue->last->next == NULL);
    node->next = NULL;
    if (queue->first == NULL)
        queue->first = node;
    else
        queue->last->next = node;
    queue->last = node;
}

/* Removes and returns the first node. Returns NULL if there is none. */
static inline struct queue_node *queue_take(struct queue *queue)
{
    struct queue_node *node = queue->first;
    if (node != NULL)
        queue->first = node->next;
    return node;
}

/* Removes all nodes and returns them as a queue. */
static inline struct queue queue_take_all(struct queue *queue)
{
    struct queue all = *queue;
    queue->first = NULL;
    return all;
}

/* Appends the nodes of `more`, which must not be used afterwards. */
static inline void queue_append(struct queue *queue, struct queue more)
{
    if (more.first == NULL)
        return;
    if (queue->first == NULL)
        queue->first = more.first;
    else
        queue->last->next = more.first;
    queue->last = more.last;
}

/* ---- in any order, with removal ---- */

struct list_node {
    struct list_node *next, **link; /* `link` points to the pointer to this node */
};

/* Empty when all zero. Its address must not change while it has nodes. */
struct list {
    struct list_node *first;
};

/* Adds the node at the front. */
static inline void list_add(struct list *list, struct list_node *node)
{
    CHECK(list->first != node && (list->first == NULL || list->first->link == &list->first));
    node->next = list->first;
    node->link = &list->first;
    if (node->next != NULL)
        node->next->link = &node->next;
    list->first = node;
}

/* Removes the node from the list that it is in. */
static inline void list_remove(struct list_node *node)
{
    CHECK(*node->link == node &&
          (node->next == NULL || node->next->link == &node->next)); /* is in one list */
    *node->link = node->next;
    if (node->next != NULL)
        node->next->link = node->link;
}

/*
 * Walks through a queue or a list of `type`s with the node `member`. The body must neither remove nor free
 * `name`; loop with queue_take to do that.
 */
/* Types cannot be parenthesised. NOLINTBEGIN(bugprone-macro-parentheses) */
#define LIST_EACH(type, name, list, member)                                                                  \
    for (type *name = container_of((list)->first, type, member); name != NULL;                               \
         name = container_of(name->member.next, type, member))
/* NOLINTEND(bugprone-macro-parentheses) */

#endif
