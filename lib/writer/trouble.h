/* Describes to clients and operators why a database is unusable. Pure; any thread. */
#ifndef SCREENING_WRITER_TROUBLE_H
#define SCREENING_WRITER_TROUBLE_H

#include <stdbool.h>

#include "base/status.h"

/* Returns a static line for operators, according to the reason of the failure. */
const char *trouble_line(const struct error *cause);

/*
 * Returns whether waiting cannot fix the failure, and then fills `told` with UNAVAILABLE and the reason.
 * Otherwise the caller decides what to report.
 */
bool trouble_tell(const struct error *cause, struct error *told);

#endif
