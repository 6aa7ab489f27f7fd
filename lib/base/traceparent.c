#include "base/traceparent.h"

#include <stddef.h>
#include <string.h>

/*
 * Returns whether the first `count` characters are lower-case hexadecimal digits. Sets *zero to whether all
 * of them are 0.
 */
static bool is_hex(const char *digits, size_t count, bool *zero)
{
    *zero = strspn(digits, "0") >= count;
    return strspn(digits, "0123456789abcdef") >= count;
}

bool traceparent_is_valid(const char *text)
{
    if (text == NULL || strlen(text) != TRACEPARENT_LENGTH)
        return false;
    const char *trace_id = text + TRACE_ID_OFFSET;
    const char *parent_id = trace_id + TRACE_ID_LENGTH + 1;
    const char *flags = parent_id + 16 + 1;
    bool no_trace;
    bool no_parent;
    bool no_flags; /* allowed */
    return strncmp(text, "00-", 3) == 0 && is_hex(trace_id, TRACE_ID_LENGTH, &no_trace) && !no_trace &&
           parent_id[-1] == '-' && is_hex(parent_id, 16, &no_parent) && !no_parent && flags[-1] == '-' &&
           is_hex(flags, 2, &no_flags);
}
