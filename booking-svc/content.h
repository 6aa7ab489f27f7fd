/*
 * The content of a CreateBooking request. Requests with the same id and content are repetitions. Pure; any
 * thread.
 */
#ifndef SCREENING_BOOKING_SVC_CONTENT_H
#define SCREENING_BOOKING_SVC_CONTENT_H

#include "booking.h"

#include <stdbool.h>

#include "base/arena.h"

#include "screening/v1/booking.pb-c.h"

/*
 * Sets request->content_hash and content_as_sent. The hash covers every field of `input`, including fields
 * unknown to this version, with the ids, headcount and customer_name as parsed into `request`. Returns false
 * when out of memory.
 */
bool content_hash(const Screening__V1__CreateBookingRequest *input, struct arena *arena,
                  struct booking *request);

/*
 * Returns `existing` in the form to compare with `request`. Earlier versions stored names as sent. If the
 * stored name is not normalized, the result is *copy, with the name normalized. If all fields then match the
 * request, the copy also gets the request's hash.
 */
const struct booking *content_as_kept_now(const struct booking *existing, const struct booking *request,
                                          struct arena *arena, struct booking *copy);

#endif
