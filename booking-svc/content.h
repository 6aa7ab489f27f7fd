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
 * Sets request->content_hash and content_as_sent. The hash covers every field of `input`, even those unknown
 * to this version. For the ids, headcount and customer_name it uses the values parsed into `request`. Returns
 * false when out of memory.
 */
bool content_hash(const Screening__V1__CreateBookingRequest *input, struct arena *arena,
                  struct booking *request);

/*
 * Makes a stored booking comparable with `request`. Earlier versions stored names as sent. If the name of
 * `existing` is already normalized, or when out of memory, returns `existing`. Otherwise fills and returns
 * `copy`, with the normalized name and, if all its fields then match the request, with the request's hash.
 */
const struct booking *content_as_kept_now(const struct booking *existing, const struct booking *request,
                                          struct arena *arena, struct booking *copy);

#endif
