/*
 * Decides how hospital-svc reacts to events of the booking log. When a booking is cancelled, rejected,
 * force-cancelled or abandoned, its reservation is released: a live reservation is freed once, and an unknown
 * booking leaves a tombstone. While the database catches up with a log that is ahead of it, a confirmation
 * also has an effect, because the booking's place must be live. Pure; any thread.
 */
#ifndef SCREENING_HOSPITAL_SVC_POLICY_H
#define SCREENING_HOSPITAL_SVC_POLICY_H

#include "hospital.h"

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

#include "screening/v1/event.pb-c.h"

/*
 * Returns whether the event releases the booking's reservation. A confirmation does not, even during
 * catch-up.
 */
bool policy_has_effect(const Screening__V1__Event *event);

/*
 * Writes the releases of `count` events to `releases` (room for `count`) and their number to *released.
 * Events of other types release nothing. Returns INTERNAL if an event that releases lacks a required field
 * and so can never be applied. If `catching_up`, confirmed bookings are included, with `confirmed` set.
 */
MUST_CHECK enum status policy_releases(Screening__V1__Event *const *events, size_t count, bool catching_up,
                                       struct release *releases, size_t *released, struct error *error);

#endif
