/* Describes to clients and operators why a database is unusable. Pure; any thread. */
#ifndef SCREENING_WRITER_TROUBLE_H
#define SCREENING_WRITER_TROUBLE_H

#include <stdbool.h>

#include "base/status.h"

/* Returns a static line for operators, according to the reason of the failure. */
const char *trouble_line(const struct error *cause);

/*
 * Fills `told` with UNAVAILABLE and the reason if waiting cannot fix the failure. Otherwise returns false,
 * and the caller decides what to report.
 */
bool trouble_tell(const struct error *cause, struct error *told);

#endif
