/* Why a database is of no use for now, as callers and operators are told. Pure; any thread. */
#ifndef SCREENING_WRITER_TROUBLE_H
#define SCREENING_WRITER_TROUBLE_H

#include <stdbool.h>

#include "base/status.h"

/* A line for operators, by the reason of a failure; it stays. */
const char *trouble_line(const struct error *cause);

/*
 * Fills `told` with UNAVAILABLE and the reason, if the failure has one that no waiting heals. Else false: the
 * caller knows better what to say.
 */
bool trouble_tell(const struct error *cause, struct error *told);

#endif
