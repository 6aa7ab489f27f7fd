/* What a creation says: two of the same content are one booking. Pure; any thread. */
#ifndef BOOKING_SVC_CONTENT_H
#define BOOKING_SVC_CONTENT_H

#include "booking.h"

#include <stdbool.h>

#include "base/arena.h"

#include "screening/v1/booking.pb-c.h"

/*
 * Fills request->content_hash and content_as_sent from `input`, whose ids, headcount and customer_name are as
 * in `request`: every field counts, also one that this version does not know. False when out of memory.
 */
bool content_hash(const Screening__V1__CreateBookingRequest *input, struct arena *arena,
                  struct booking *request);

/*
 * `existing`, with which `request` is compared. Earlier versions kept names as they were sent: one that is
 * the same as the request's when it is tidy gets the hash of the request, in *copy.
 */
const struct booking *content_as_kept_now(const struct booking *existing, const struct booking *request,
                                          struct arena *arena, struct booking *copy);

#endif
