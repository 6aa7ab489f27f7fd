/*
 * Civil dates in the clinic's time zone. In memory, a date is a day number (days since 1970-01-01). In
 * messages, it is text such as "2026-12-01".
 */
#ifndef SCREENING_BASE_CIVIL_H
#define SCREENING_BASE_CIVIL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

enum { CIVIL_TEXT_SIZE = 11 }; /* including the terminating NUL, for the years 0001 to 9999 */

/* Parses YYYY-MM-DD. Returns false for any other text, for a date that does not exist, and for NULL. Any
 * thread. */
bool civil_parse(const char *text, int32_t *day);

/*
 * Writes a day as YYYY-MM-DD and returns `out`. Clamps a day outside the years 0001 to 9999 to the first or
 * last day of that range. Any thread.
 */
char *civil_format(int32_t day, char out[CIVIL_TEXT_SIZE]);

/*
 * Makes `zone`, for example "Asia/Seoul", the clinic's time zone for this process. Returns INVALID_ARGUMENT
 * if the system has no zone file of that name. Call it once, before other threads start.
 */
MUST_CHECK enum status civil_zone_set(const char *zone, struct error *error);

/* Returns the date in the clinic's zone at an instant. Any thread. */
int32_t civil_day_at(int64_t instant_us);

#endif
