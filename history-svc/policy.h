/* Maps an event to rows of the tables. Pure. */
#ifndef SCREENING_HISTORY_SVC_POLICY_H
#define SCREENING_HISTORY_SVC_POLICY_H

#include "projection.h"
#include "store.h"

#include "base/status.h"

#include "screening/v1/event.pb-c.h"

/* The rows that one event produces; their strings belong to the event. */
struct reaction {
    enum event_meaning meaning;
    struct booking_row booking;   /* EVENT_BOOKING */
    struct entry_row entry;       /* EVENT_BOOKING */
    struct hospital_row hospital; /* EVENT_HOSPITAL_REGISTERED, EVENT_HOSPITAL_DELETED */
};

/*
 * Fails with INTERNAL if the event contradicts itself or lacks a field that its type requires; a retry would
 * fail, too. `log` must outlive the reaction.
 */
MUST_CHECK enum status policy_react(const char *log, const Screening__V1__Event *event, struct reaction *out,
                                    struct error *error);

#endif
