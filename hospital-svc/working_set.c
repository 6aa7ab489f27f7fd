#include "working_set.h"

#include "base/check.h"

struct day_key {
    struct uuid hospital_id;
    int32_t date;
};

static void empty_lists(struct working_set *set)
{
    set->hospitals = NULL;
    set->hospitals_end = &set->hospitals;
    set->days = NULL;
    set->days_end = &set->days;
    set->reservations = NULL;
    set->reservations_end = &set->reservations;
    set->capacity_changes = NULL;
}

void working_set_init(struct working_set *set, struct arena *arena)
{
    set->arena = arena;
    empty_lists(set);
    map_init(&set->hospitals_by_id, sizeof(struct uuid));
    map_init(&set->days_by_key, sizeof(struct day_key));
    map_init(&set->reservations_by_id, sizeof(struct uuid));
}

void working_set_fini(struct working_set *set)
{
    map_fini(&set->hospitals_by_id);
    map_fini(&set->days_by_key);
    map_fini(&set->reservations_by_id);
}

void working_set_clear(struct working_set *set)
{
    map_clear(&set->hospitals_by_id);
    map_clear(&set->days_by_key);
    map_clear(&set->reservations_by_id);
    empty_lists(set);
}

/* Allocates a zeroed row in the set's arena and adds it to the map. Returns NULL when out of memory. */
static void *add_row(struct working_set *set, struct map *map, const void *key, size_t size)
{
    void *row = arena_alloc(set->arena, size);
    return row != NULL && map_put(map, key, row) == STATUS_OK ? row : NULL;
}

struct hospital_row *working_set_hospital(struct working_set *set, const struct uuid *id)
{
    struct hospital_row *row = map_get(&set->hospitals_by_id, id);
    if (row != NULL)
        return row;
    row = add_row(set, &set->hospitals_by_id, id, sizeof *row);
    if (row != NULL) {
        row->hospital = (struct hospital){.id = *id, .name = "", .address = ""};
        CHECK(*set->hospitals_end == NULL);
        *set->hospitals_end = row;
        set->hospitals_end = &row->next;
    }
    return row;
}

struct day_row *working_set_day(struct working_set *set, const struct uuid *hospital_id, int32_t date)
{
    const struct day_key key = {*hospital_id, date};
    struct day_row *row = map_get(&set->days_by_key, &key);
    if (row != NULL)
        return row;
    struct hospital_row *hospital = working_set_hospital(set, hospital_id);
    row = hospital != NULL ? add_row(set, &set->days_by_key, &key, sizeof *row) : NULL;
    if (row != NULL) {
        row->day = (struct screening_day){.hospital_id = *hospital_id, .date = date};
        CHECK(*set->days_end == NULL);
        *set->days_end = row;
        set->days_end = &row->next;
        row->next_of_hospital = hospital->days;
        hospital->days = row;
    }
    return row;
}

struct reservation_row *working_set_reservation(struct working_set *set, const struct uuid *booking_id)
{
    struct reservation_row *row = map_get(&set->reservations_by_id, booking_id);
    if (row != NULL)
        return row;
    row = add_row(set, &set->reservations_by_id, booking_id, sizeof *row);
    if (row != NULL) {
        row->reservation = (struct reservation){.booking_id = *booking_id};
        CHECK(*set->reservations_end == NULL);
        *set->reservations_end = row;
        set->reservations_end = &row->next;
    }
    return row;
}

bool working_set_capacity_changed(struct working_set *set, struct day_row *row, const struct uuid *change_id)
{
    CHECK(row->day.version > 0); /* the day has been opened */
    struct capacity_change *change = arena_alloc(set->arena, sizeof *change);
    if (change == NULL)
        return false;
    *change = (struct capacity_change){.day = row->day, .next = set->capacity_changes};
    if (change_id != NULL)
        change->change_id = *change_id;
    set->capacity_changes = change;
    row->dirty = true;
    return true;
}
