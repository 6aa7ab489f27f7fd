/* Converts instants (base/clock.h) to and from google.protobuf.Timestamp. Pure; any thread. */
#ifndef SCREENING_BASE_INSTANT_H
#define SCREENING_BASE_INSTANT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

#include "google/protobuf/timestamp.pb-c.h"

/* Initialises `out` with the instant. */
void instant_write(int64_t instant_us, Google__Protobuf__Timestamp *out);

/*
 * Reads a timestamp, rounded down to the microsecond. Returns false if `timestamp` is NULL, invalid or
 * outside the years 1 to 9999.
 */
MUST_CHECK bool instant_read(const Google__Protobuf__Timestamp *timestamp, int64_t *instant_us);

#endif
