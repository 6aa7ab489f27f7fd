/*
 * Converts domain structs to protobuf messages. A message is allocated in `arena` and points to the strings
 * of its source, which must outlive it. All functions return NULL or false when out of memory. Pure; any
 * thread.
 */
#ifndef SCREENING_HOSPITAL_SVC_RESPOND_H
#define SCREENING_HOSPITAL_SVC_RESPOND_H

#include "hospital.h"

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

#include "screening/v1/types.pb-c.h"

/* A growable list of messages; empty when zero-initialized. */
struct respond_list {
    void **items;
    size_t count;
    size_t room;
};

bool respond_append(struct arena *arena, struct respond_list *list, void *message);

Screening__V1__ScreeningDay *respond_day(struct arena *arena, const struct screening_day *day);

/* The message has no days until respond_set_days. */
Screening__V1__Hospital *respond_hospital(struct arena *arena, const struct hospital *hospital);

/* Attaches `days` (a list of Screening__V1__ScreeningDay) to `hospital`. */
void respond_set_days(Screening__V1__Hospital *hospital, const struct respond_list *days);

#endif
