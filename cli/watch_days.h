/* Shows how screening days fill up, for screenctl watch. */
#ifndef SCREENING_CLI_WATCH_DAYS_H
#define SCREENING_CLI_WATCH_DAYS_H

#include "session.h"

#include <stdio.h>

#include "base/civil.h"

struct watch_days {
    struct session *session;
    char date[CIVIL_TEXT_SIZE]; /* empty = the first day with screenings from today on */
    char *hospital_id;          /* NULL = all hospitals with screenings on the date */
    size_t scroll;              /* number of rows scrolled off the top */
};

enum { WATCH_AHEAD_DAYS = 14 };

/*
 * Writes at most `lines` lines (but at least one row with its heading) from the scroll position on: the
 * hospitals with screenings on the date, the fullest first, or the days of one hospital, by date.
 */
void watch_days_draw(struct watch_days *days, size_t lines, FILE *frame);

#endif
