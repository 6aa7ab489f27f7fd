/* Decides how booking-svc reacts to events of the hospital log. Pure. */
#ifndef SCREENING_BOOKING_SVC_POLICY_H
#define SCREENING_BOOKING_SVC_POLICY_H

#include "store.h"

#include <stdbool.h>

#include "base/status.h"

#include "screening/v1/event.pb-c.h"

/*
 * When a hospital is deleted, its live bookings of the day of the deletion (in the clinic's time zone) or
 * later are force-cancelled. If the event requires that, sets *reacts to true and *deletion to the deletion
 * to begin. Returns INTERNAL if the event is malformed and so can never be applied.
 */
MUST_CHECK enum status policy_hospital_event(const Screening__V1__Event *event, bool *reacts,
                                             struct hospital_deletion *deletion, struct error *error);

#endif
