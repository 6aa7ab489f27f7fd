/* W3C trace context, version 00: "00-<32 hex: trace id>-<16 hex: parent id>-<2 hex: flags>". */
#ifndef SCREENING_BASE_TRACEPARENT_H
#define SCREENING_BASE_TRACEPARENT_H

#include <stdbool.h>

enum { TRACEPARENT_LENGTH = 55, TRACE_ID_LENGTH = 32, TRACE_ID_OFFSET = 3 };

/*
 * Returns whether `text` has the form above, with lower-case digits and a nonzero trace id and parent id.
 * Returns false for NULL. Pure; any thread.
 */
bool traceparent_is_valid(const char *text);

#endif
