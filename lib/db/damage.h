/* Private to lib/db: reports a damaged database, for both drivers. */
#ifndef SCREENING_DB_DAMAGE_H
#define SCREENING_DB_DAMAGE_H

#include "base/metrics.h"
#include "base/status.h"

/* Registered when the first connection is opened. */
extern struct metric db_damaged;

/*
 * Records that the database is damaged, and logs it at most once a minute. Sets `error` to UNAVAILABLE
 * `DB_DAMAGED` and returns UNAVAILABLE, so that no command or event is treated as the cause. `which` names
 * the database, or is NULL. `doing` is the operation that failed, `cause` its error message and `code` its
 * result code. Any thread.
 */
enum status db_damage_report(struct error *error, const char *which, const char *doing, const char *cause,
                             const char *code);

#endif
