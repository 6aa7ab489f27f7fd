/* A FIFO list of waiting placements. Not thread-safe. */
#ifndef SCREENING_BOOKING_SVC_PLACEMENT_LIST_H
#define SCREENING_BOOKING_SVC_PLACEMENT_LIST_H

#include "placements.h"

#include <stddef.h>

struct placement_list {
    struct placement *first, **end;
};

void placement_list_init(struct placement_list *list);

void placement_list_add(struct placement_list *list, struct placement *placement);

/* Removes up to `most` placements from the head of the list. NULL if it is empty. */
struct placement *placement_list_take(struct placement_list *list, size_t most);

/* Cuts a chain of placements after `count` > 0 of them; returns the rest. */
struct placement *placement_cut(struct placement *chain, size_t count);

#endif
