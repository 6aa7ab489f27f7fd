/*
 * Compares the content of CreateBooking requests. Requests with the same id and content are repetitions.
 * Pure; any thread.
 */
#ifndef SCREENING_BOOKING_SVC_CONTENT_H
#define SCREENING_BOOKING_SVC_CONTENT_H

#include "booking.h"

#include <stdbool.h>

#include "base/arena.h"

#include "screening/v1/booking.pb-c.h"

/*
 * Sets request->first_content if the columns of a booking do not hold everything that `sent` says: it has
 * fields that are unknown to this version. `request` is what was parsed from `sent`. Returns false when out
 * of memory.
 */
bool content_keep(const Screening__V1__CreateBookingRequest *sent, struct arena *arena,
                  struct booking *request);

/*
 * Sets *same to whether the request has the content from which `existing` was made. A booking without a
 * digest is compared by its columns. If it has one, the digest of the request is made, for which the ids, the
 * headcount and the name are those parsed into `request`, and everything else is from `sent`.
 *
 * Earlier versions stored names as sent, and their digests. Such a booking also has the same content if the
 * digest with the name as sent is the same, or if all fields are the same once its name is normalized.
 * Returns false when out of memory.
 */
bool content_compare(const struct booking *existing, const struct booking *request,
                     const Screening__V1__CreateBookingRequest *sent, struct arena *arena, bool *same);

#endif
