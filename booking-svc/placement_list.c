#include "placement_list.h"

void placement_list_init(struct placement_list *list)
{
    list->first = NULL;
    list->end = &list->first;
}

void placement_list_add(struct placement_list *list, struct placement *placement)
{
    placement->next = NULL;
    *list->end = placement;
    list->end = &placement->next;
}

struct placement *placement_list_take(struct placement_list *list, size_t most)
{
    struct placement *taken = list->first, **end = &taken;
    for (size_t i = 0; i < most && *end != NULL; i++)
        end = &(*end)->next;
    list->first = *end;
    if (list->first == NULL)
        list->end = &list->first;
    *end = NULL;
    return taken;
}

struct placement *placement_cut(struct placement *chain, size_t count)
{
    struct placement *last = chain;
    for (size_t i = 1; i < count; i++)
        last = last->next;
    struct placement *rest = last->next;
    last->next = NULL;
    return rest;
}
