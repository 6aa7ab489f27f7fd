/* Private to lib/db: what the drivers do when they meet a damaged database. */
#ifndef SCREENING_DB_DAMAGE_H
#define SCREENING_DB_DAMAGE_H

#include "base/metrics.h"
#include "base/status.h"

/* Registered when the first connection is opened. */
extern struct metric db_damaged;

/*
 * Notes that the database is damaged, logs it, once a minute at most, and fills the error: UNAVAILABLE
 * `DB_DAMAGED`, so that neither commands nor events are taken to be at fault. `which` names the database, or
 * is NULL. Any thread.
 */
enum status db_damage_tell(struct error *error, const char *which, const char *doing, const char *cause,
                           const char *code);

#endif
