/*
 * The rows that one batch reads and writes, by their keys: asked for, loaded once, changed by one decision
 * after the other, and saved as one final row per key. One thread.
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
    bool with_days; /* all its days from today on are wanted, for an answer that shows them */
    struct hospital_row *next;
    struct day_row *days; /* those in the set, newest asked for first */
};

struct day_row {
    struct screening_day day;
    bool loaded;
    bool dirty;
    struct day_row *next;
    struct day_row *next_of_hospital;
};

/* A capacity that a command set: kept one by one, since a batch may set a day's several times. */
struct capacity_change {
    struct screening_day day; /* as it was then */
    struct uuid change_id;    /* of the command; nil for a registration */
    struct capacity_change *next;
};

struct reservation_row {
    struct reservation reservation;
    bool loaded;
    bool dirty;
    struct reservation_row *next;
};

struct working_set {
    struct arena *arena; /* the batch's */
    struct map hospitals_by_id;
    struct map days_by_key;
    struct map reservations_by_id;
    /* In the order in which they were asked for: ids that rise with time are then written in rising order. */
    struct hospital_row *hospitals, **hospitals_end;
    struct day_row *days, **days_end;
    struct reservation_row *reservations, **reservations_end;
    struct capacity_change *capacity_changes; /* latest first */
};

/* The arena must outlive the set and holds its rows. */
void working_set_init(struct working_set *set, struct arena *arena);
void working_set_fini(struct working_set *set);

/* Forgets all rows; the caller resets the arena. */
void working_set_clear(struct working_set *set);

/*
 * The row of that key, added (not loaded, all zero but its key) if it is not in the set yet. NULL when out of
 * memory. A day's hospital is added with it.
 */
struct hospital_row *working_set_hospital(struct working_set *set, const struct uuid *id);
struct day_row *working_set_day(struct working_set *set, const struct uuid *hospital_id, int32_t date);
struct reservation_row *working_set_reservation(struct working_set *set, const struct uuid *booking_id);

/* Marks the day changed and keeps the capacity that it has now; `change_id` may be NULL. False when out of
 * memory. */
bool working_set_capacity_changed(struct working_set *set, struct day_row *row, const struct uuid *change_id);

#endif
