/* Reads and writes RFC 3339 instants, the JSON form of google.protobuf.Timestamp. Pure; any thread. */
#ifndef SCREENING_PROTOJSON_TIMESTAMP_H
#define SCREENING_PROTOJSON_TIMESTAMP_H

#include <stdbool.h>
#include <stdint.h>

enum { PROTOJSON_TIMESTAMP_SIZE = 40 }; /* including the NUL */

/*
 * Writes the instant that is `seconds` and `nanos` after 1970-01-01 UTC, with 0, 3, 6 or 9 digits of
 * fraction, the fewest that represent it exactly. Returns false if the instant is outside the years 1 to
 * 9999, or if `nanos` is not in 0..999,999,999.
 */
bool protojson_timestamp_format(int64_t seconds, int32_t nanos, char out[PROTOJSON_TIMESTAMP_SIZE]);

/*
 * Reads a date, "T", a time, an optional fraction of 1 to 9 digits, and "Z" or an offset up to 23:59. Returns
 * false for anything else, for a leap second, and for an instant outside the years 1 to 9999 in UTC.
 */
bool protojson_timestamp_parse(const char *text, int64_t *seconds, int32_t *nanos);

#endif
