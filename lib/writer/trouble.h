/* Describes to clients and operators why a database is unusable. Pure; any thread. */
#ifndef SCREENING_WRITER_TROUBLE_H
#define SCREENING_WRITER_TROUBLE_H

#include <stdbool.h>

#include "base/status.h"

/* Returns a static text for operators, chosen by cause->reason. */
const char *trouble_line(const struct error *cause);

/* The text for a database that has not answered a batch for 2 s. */
extern const char trouble_of_silence[];

/*
 * If waiting cannot fix the failure, sets `told` to UNAVAILABLE with cause->reason and returns true.
 * Otherwise returns false, and the caller decides what to report.
 */
bool trouble_report(const struct error *cause, struct error *told);

/*
 * Sets `told` to UNAVAILABLE NOT_READY with retry_after_ms: the database is away, and nothing was executed.
 * Returns the status.
 */
enum status trouble_refuse(struct error *told);

#endif
