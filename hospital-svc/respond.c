#include "respond.h"

#include <string.h>

#include "base/civil.h"

enum { FIRST_ROOM = 16, US_PER_S = 1000000, NS_PER_US = 1000 };

bool respond_append(struct arena *arena, struct respond_list *list, void *message)
{
    if (message == NULL)
        return false;
    if (list->count == list->room) {
        size_t room = list->room > 0 ? 2 * list->room : FIRST_ROOM;
        void **items = arena_alloc(arena, room * sizeof *items);
        if (items == NULL)
            return false;
        if (list->count > 0)
            memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = message;
    return true;
}

Screening__V1__ScreeningDay *respond_day(struct arena *arena, const struct screening_day *day)
{
    Screening__V1__ScreeningDay *message = arena_alloc(arena, sizeof *message);
    char *date = arena_alloc(arena, CIVIL_TEXT_SIZE);
    if (message == NULL || date == NULL)
        return NULL;
    screening__v1__screening_day__init(message);
    message->date = civil_format(day->date, date);
    message->capacity_presence_case = SCREENING__V1__SCREENING_DAY__CAPACITY_PRESENCE_CAPACITY;
    message->capacity = day->capacity;
    message->remaining = screening_day_remaining(day);
    message->version = day->version;
    return message;
}

static Google__Protobuf__Timestamp *respond_instant(struct arena *arena, int64_t instant_us)
{
    Google__Protobuf__Timestamp *message = arena_alloc(arena, sizeof *message);
    if (message != NULL) {
        google__protobuf__timestamp__init(message);
        message->seconds = instant_us / US_PER_S;
        message->nanos = (int32_t)(instant_us % US_PER_S * NS_PER_US);
    }
    return message;
}

static Screening__V1__HospitalStatus respond_status(enum hospital_state state)
{
    switch (state) {
    case HOSPITAL_ACTIVE:
        return SCREENING__V1__HOSPITAL_STATUS__ACTIVE;
    case HOSPITAL_DELETED:
        return SCREENING__V1__HOSPITAL_STATUS__DELETED;
    case HOSPITAL_NONE:
        break;
    }
    return SCREENING__V1__HOSPITAL_STATUS__HOSPITAL_STATUS_UNSPECIFIED;
}

Screening__V1__Hospital *respond_hospital(struct arena *arena, const struct hospital *hospital)
{
    Screening__V1__Hospital *message = arena_alloc(arena, sizeof *message);
    char *id = arena_alloc(arena, UUID_TEXT_SIZE);
    Google__Protobuf__Timestamp *created_at = respond_instant(arena, hospital->created_at_us);
    if (message == NULL || id == NULL || created_at == NULL)
        return NULL;
    screening__v1__hospital__init(message);
    message->hospital_id = uuid_format(&hospital->id, id);
    /* protobuf-c's strings are not const, though it only reads them. */
    message->name = (char *)hospital->name;
    message->address = (char *)hospital->address;
    message->status = respond_status(hospital->state);
    message->created_at = created_at;
    return message;
}

void respond_set_days(Screening__V1__Hospital *hospital, const struct respond_list *days)
{
    hospital->days = (Screening__V1__ScreeningDay **)days->items;
    hospital->n_days = days->count;
}
