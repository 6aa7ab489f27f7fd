/* Prepares the database before the service starts. */
#ifndef SCREENING_HOSPITAL_SVC_PREPARE_H
#define SCREENING_HOSPITAL_SVC_PREPARE_H

#include "settings.h"

#include "base/status.h"
#include "db/db.h"

/*
 * Claims the database for hospital-svc, migrates it, and executes --follow-log-from-start and
 * --acknowledge-recovery if given. Idempotent. Returns the statuses of db_claim, db_migrate and the functions
 * of store.h.
 */
MUST_CHECK enum status prepare(struct db *db, const struct settings *settings, struct error *error);

#endif
