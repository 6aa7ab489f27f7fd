/*
 * Reactions to the booking log: whenever a booking is cancelled, rejected or force-cancelled, whatever the
 * reason, its reservation is released. A live one is freed once; an unknown one leaves a tombstone. There is
 * no exception. While the database catches up with a log that is ahead of it, a booking's confirmation has an
 * effect too: its place must be live. Pure; any thread.
 */
#ifndef SCREENING_HOSPITAL_SVC_POLICY_H
#define SCREENING_HOSPITAL_SVC_POLICY_H

#include "hospital.h"

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

#include "screening/v1/event.pb-c.h"

/* Whether the event ends a booking. */
bool policy_has_effect(const Screening__V1__Event *event);

/*
 * Writes what `count` events release to `releases` (room for `count`), *released how many. Events of other
 * types, known or not, release nothing. INTERNAL if an event that does lacks what it must tell: it can never
 * be applied. `catching_up`: the confirmed bookings are among them, as such.
 */
MUST_CHECK enum status policy_releases(Screening__V1__Event *const *events, size_t count, bool catching_up,
                                       struct release *releases, size_t *released, struct error *error);

#endif
