/* Maps an event to table rows. Pure. */
#ifndef SCREENING_HISTORY_SVC_POLICY_H
#define SCREENING_HISTORY_SVC_POLICY_H

#include "projection.h"
#include "store.h"

#include "base/status.h"

#include "screening/v1/event.pb-c.h"

/* The rows that one event produces. The strings belong to the event. */
struct reaction {
    enum event_meaning meaning;
    struct booking_row booking;   /* for EVENT_BOOKING */
    struct entry_row entry;       /* for EVENT_BOOKING */
    struct hospital_row hospital; /* for EVENT_HOSPITAL_REGISTERED and EVENT_HOSPITAL_DELETED */
};

/*
 * Maps one event. Fails with INTERNAL if the event contradicts itself or lacks a field that its type
 * requires. A retry would fail too. `log` must outlive the reaction.
 */
MUST_CHECK enum status policy_react(const char *log, const Screening__V1__Event *event, struct reaction *out,
                                    struct error *error);

#endif
