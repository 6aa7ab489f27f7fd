/*
 * Intrusive lists. Each member embeds a node, so nothing is allocated. container_of (base/container.h)
 * returns the member that contains a node. A node is in at most one list at a time. Not thread-safe.
 */
#ifndef SCREENING_BASE_QUEUE_H
#define SCREENING_BASE_QUEUE_H

#include <stddef.h>

#include "base/check.h"
#include "base/container.h"

/* ---- first in, first out ---- */

struct queue_node {
    struct queue_node *next; /* valid only while the node is in a queue */
};

/* A zeroed queue is empty. `last` is valid unless the queue is empty. */
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

/* ---- removal in any order ---- */

struct list_node {
    struct list_node *next, **link; /* `link` points to the pointer to this node */
};

/* A zeroed list is empty. The list must not move in memory while it has nodes. */
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

/* Removes the node from its list. */
static inline void list_remove(struct list_node *node)
{
    CHECK(*node->link == node &&
          (node->next == NULL || node->next->link == &node->next)); /* the node must be in a list */
    *node->link = node->next;
    if (node->next != NULL)
        node->next->link = node->link;
}

/*
 * Iterates over a queue or a list of objects of `type`, which are linked by their node `member`. The body
 * must neither remove nor free `name`. To do that, call queue_take in a loop instead.
 */
/* Types cannot be parenthesised. NOLINTBEGIN(bugprone-macro-parentheses) */
#define LIST_EACH(type, name, list, member)                                                                  \
    for (type *name = container_of((list)->first, type, member); name != NULL;                               \
         name = container_of(name->member.next, type, member))
/* NOLINTEND(bugprone-macro-parentheses) */

#endif
