/* How booking-svc reacts to what happens elsewhere. Pure. */
#ifndef BOOKING_SVC_POLICY_H
#define BOOKING_SVC_POLICY_H

#include "store.h"

#include <stdbool.h>

#include "base/status.h"

#include "screening/v1/event.pb-c.h"

/*
 * Whenever a hospital is deleted, its live bookings of that day (the civil date of the deletion in the
 * clinic's zone) or later are force-cancelled. *reacts says whether the event asks for that; *deletion is
 * then the work to begin. INTERNAL if the event can't be understood: it will never be.
 */
MUST_CHECK enum status policy_hospital_event(const Screening__V1__Event *event, bool *reacts,
                                             struct hospital_deletion *deletion, struct error *error);

#endif
