/*
 * Holds the rows that one batch reads and writes, by key. A row is requested, loaded once, changed by
 * successive decisions, and saved once in its final state. One thread.
 */
#ifndef SCREENING_HOSPITAL_SVC_WORKING_SET_H
#define SCREENING_HOSPITAL_SVC_WORKING_SET_H

#include "hospital.h"

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/map.h"

struct hospital_row {
    struct hospital hospital;
    bool loaded;
    bool dirty;
    bool with_days; /* whether to load all days from today on, for an answer that lists them */
    struct hospital_row *next;
    struct day_row *days; /* the hospital's days in the set, latest added first */
};

struct day_row {
    struct screening_day day;
    bool loaded;
    bool dirty;
    struct day_row *next;
    struct day_row *next_of_hospital;
};

/* A capacity set by a command. Each change is kept, because a batch may change the capacity of one day
 * several times. */
struct capacity_change {
    struct screening_day day; /* the day as of this change */
    struct uuid change_id;    /* id of the command; nil for a registration */
    struct capacity_change *next;
};

struct reservation_row {
    struct reservation reservation;
    bool loaded;
    bool dirty;
    struct reservation_row *next;
};

struct working_set {
    struct arena *arena; /* the arena of the batch */
    struct map hospitals_by_id;
    struct map days_by_key;
    struct map reservations_by_id;
    /* Linked in the order of addition, so that time-ordered ids are written in ascending order. */
    struct hospital_row *hospitals, **hospitals_end;
    struct day_row *days, **days_end;
    struct reservation_row *reservations, **reservations_end;
    struct capacity_change *capacity_changes; /* latest first */
};

/* Initialises an empty set. `arena` holds the rows and must outlive the set. */
void working_set_init(struct working_set *set, struct arena *arena);
void working_set_fini(struct working_set *set);

/* Forgets all rows. The caller must reset the arena. */
void working_set_clear(struct working_set *set);

/*
 * Returns the row with the key. If the row is not in the set yet, adds it (not loaded, and zero except for
 * the key). Returns NULL when out of memory. Adding a day also adds its hospital.
 */
struct hospital_row *working_set_hospital(struct working_set *set, const struct uuid *id);
struct day_row *working_set_day(struct working_set *set, const struct uuid *hospital_id, int32_t date);
struct reservation_row *working_set_reservation(struct working_set *set, const struct uuid *booking_id);

/*
 * Marks the day dirty and records its current capacity as a change. `change_id` may be NULL. Returns false
 * when out of memory.
 */
bool working_set_capacity_changed(struct working_set *set, struct day_row *row, const struct uuid *change_id);

#endif
