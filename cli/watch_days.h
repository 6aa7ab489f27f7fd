/* The part of screenctl watch that shows how screening days fill up. */
#ifndef SCREENING_CLI_WATCH_DAYS_H
#define SCREENING_CLI_WATCH_DAYS_H

#include "session.h"

#include <stdio.h>

#include "base/civil.h"

struct watch_days {
    struct session *session;
    char date[CIVIL_TEXT_SIZE]; /* empty = the next day with screenings */
    char *hospital_id;          /* NULL = all hospitals that screen on the date */
    size_t scroll;              /* number of rows scrolled off the top */
};

enum { WATCH_AHEAD_DAYS = 14 };

/* Writes at most `lines` lines, the fullest days first, starting at the scroll position. */
void watch_days_draw(struct watch_days *days, size_t lines, FILE *frame);

#endif
