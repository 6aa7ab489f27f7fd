#include "work_list.h"

void work_list_init(struct work_list *list)
{
    list->first = NULL;
    list->end = &list->first;
}

void work_list_add(struct work_list *list, struct work *work)
{
    work->next = NULL;
    *list->end = work;
    list->end = &work->next;
}

struct work *work_list_take(struct work_list *list, size_t most)
{
    struct work *taken = list->first, **end = &taken;
    for (size_t i = 0; i < most && *end != NULL; i++)
        end = &(*end)->next;
    list->first = *end;
    if (list->first == NULL)
        list->end = &list->first;
    *end = NULL;
    return taken;
}

struct work *work_cut(struct work *chain, size_t count)
{
    struct work *last = chain;
    for (size_t i = 1; i < count; i++)
        last = last->next;
    struct work *rest = last->next;
    last->next = NULL;
    return rest;
}
