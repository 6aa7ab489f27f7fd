/* A FIFO list of waiting works. Not thread-safe. */
#ifndef SCREENING_BOOKING_SVC_WORK_LIST_H
#define SCREENING_BOOKING_SVC_WORK_LIST_H

#include "work.h"

#include <stddef.h>

struct work_list {
    struct work *first, **end;
};

void work_list_init(struct work_list *list);

void work_list_add(struct work_list *list, struct work *work);

/* Removes up to `most` works from the head of the list. NULL if it is empty. */
struct work *work_list_take(struct work_list *list, size_t most);

/* Cuts a chain of works after `count` > 0 of them; returns the rest. */
struct work *work_cut(struct work *chain, size_t count);

#endif
