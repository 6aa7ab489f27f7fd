/* Private to lib/db: how the drivers report a damaged database. */
#ifndef SCREENING_DB_DAMAGE_H
#define SCREENING_DB_DAMAGE_H

#include "base/metrics.h"
#include "base/status.h"

/* Registered when the first connection is opened. */
extern struct metric db_damaged;

/*
 * Records that the database is damaged, logs it at most once a minute, and sets the error to UNAVAILABLE
 * `DB_DAMAGED`, so that no command or event is blamed for it. Returns its status. `which` names the database,
 * or is NULL. Any thread.
 */
enum status db_damage_tell(struct error *error, const char *which, const char *doing, const char *cause,
                           const char *code);

#endif
