/* Reads and writes dates in the forms that users see. Pure, apart from the time zone. */
#ifndef SCREENING_CLI_DATE_H
#define SCREENING_CLI_DATE_H

#include "message.h"

#include <stdbool.h>
#include <stdint.h>

#define DATE_RULE N_("must be a date that exists, YYYY-MM-DD, or +N for N days from today")

/*
 * Reads "2026-12-01", or "+N" for the day N days (0 to 36500) after `today`. Returns false for any other
 * text.
 */
bool date_read(const char *text, int32_t today, int32_t *day);

enum { DATE_TIME_SIZE = 20 };

/*
 * Writes an instant, in seconds since 1970-01-01 UTC, as "2026-12-01 09:30:00" in the clinic's zone, which
 * must be set. Writes "-" if the year has more than four digits. Returns `out`.
 */
char *date_time_format(int64_t second, char out[DATE_TIME_SIZE]);

#endif
