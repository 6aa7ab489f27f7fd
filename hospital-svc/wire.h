/*
 * Validates requests and converts them into commands for the rules (hospital.h). Converts domain structs to
 * protobuf messages. Pure, except that it generates an id for a registration without one. Any thread.
 */
#ifndef SCREENING_HOSPITAL_SVC_WIRE_H
#define SCREENING_HOSPITAL_SVC_WIRE_H

#include "hospital.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "base/uuid.h"

#include "screening/v1/hospital.pb-c.h"
#include "screening/v1/types.pb-c.h"

/* ---- requests; the functions return INVALID_ARGUMENT with "field: rule" for the first error ---- */

enum { RESERVE_ITEMS_MAX = 1024, AVAILABILITY_DAYS_MAX = 366, AVAILABILITY_DAYS_DEFAULT = 30 };

MUST_CHECK enum status wire_read_hospital_id(const char *text, struct uuid *out, struct error *error);

/*
 * Reads a registration. *out points into `request` and `arena`, which must outlive *out. Returns
 * RESOURCE_EXHAUSTED when out of memory. If `explicit_presence`, an absent capacity is an error; otherwise it
 * means 0.
 */
MUST_CHECK enum status wire_read_registration(const Screening__V1__RegisterHospitalRequest *request,
                                              bool explicit_presence, struct arena *arena,
                                              struct registration *out, struct error *error);

/* Reads a change of capacity. `explicit_presence` is as for wire_read_registration. */
MUST_CHECK enum status wire_read_capacity(const Screening__V1__SetCapacityRequest *request,
                                          bool explicit_presence, struct capacity_wanted *out,
                                          struct error *error);

MUST_CHECK enum status wire_read_reserve(const Screening__V1__ReserveRequest *request, struct reserve *out,
                                         struct error *error);

struct availability_wanted {
    struct uuid hospital_id;
    int32_t from; /* civil days, both included */
    int32_t to;
};

/*
 * Reads a request for availability. An empty from_date means `today`. An empty to_date means
 * AVAILABILITY_DAYS_DEFAULT days after from_date.
 */
MUST_CHECK enum status wire_read_availability(const Screening__V1__GetAvailabilityRequest *request,
                                              int32_t today, struct availability_wanted *out,
                                              struct error *error);

struct list_wanted {
    const char *name_contains; /* normalized; empty = any */
    /* `name_contains` in other forms, in which earlier versions may have stored names. */
    const char *decomposed;
    const char *as_sent;
    bool on_date; /* whether to list only hospitals open on `date` */
    int32_t date;
    bool include_deleted;
    uint32_t page_size;
    struct uuid first_id; /* smallest id of the page */
    const char *query;    /* the canonical text of the query, to which page tokens are bound */
};

/* Reads a request for a list of hospitals. Ownership and errors are as for wire_read_registration. */
MUST_CHECK enum status wire_read_list(const Screening__V1__ListHospitalsRequest *request, struct arena *arena,
                                      struct list_wanted *out, struct error *error);

/*
 * ---- messages ----
 *
 * A message is allocated in `arena` and points to the strings of its source, which must outlive the message.
 * These functions return NULL or false when out of memory.
 */

/* A growable list of messages. All zero = empty. */
struct wire_list {
    void **items;
    size_t count;
    size_t room;
};

bool wire_append(struct arena *arena, struct wire_list *list, void *message);

Screening__V1__ScreeningDay *wire_day(struct arena *arena, const struct screening_day *day);

/* Creates the message of a hospital. The message has no days until wire_set_days is called. */
Screening__V1__Hospital *wire_hospital(struct arena *arena, const struct hospital *hospital);

/* Attaches `days` (a list of Screening__V1__ScreeningDay) to `hospital`. */
void wire_set_days(Screening__V1__Hospital *hospital, const struct wire_list *days);

#endif
