#include "base/status.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

static const char *const NAMES[] = {
    "OK",        "CANCELLED",       "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS",  "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",    "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED",
};
static_assert(sizeof NAMES / sizeof NAMES[0] == STATUS_COUNT, "every status has a name");

const char *status_name(enum status status)
{
    return (unsigned)status < STATUS_COUNT ? NAMES[status] : "UNRECOGNISED";
}

bool status_is_transient(enum status status)
{
    switch (status) {
    case STATUS_UNAVAILABLE:
    case STATUS_DEADLINE_EXCEEDED:
    case STATUS_ABORTED:
    case STATUS_RESOURCE_EXHAUSTED:
    case STATUS_UNKNOWN:
        return true;
    default:
        return false;
    }
}

/*
 * Repairs the output of a call to snprintf that returned `wanted`. Drops the last character if it was cut in
 * the middle, or the whole text if the call failed.
 */
static void mend_cut(char *text, size_t capacity, int wanted)
{
    if (wanted < 0)
        text[0] = '\0';
    else if ((size_t)wanted >= capacity)
        text[utf8_whole(text, capacity - 1)] = '\0';
}

void error_write(struct error *error, enum status status, const char *reason, const char *format, ...)
{
    if (error == NULL)
        return;
    /* Use a local variable, because the arguments may point into *error. */
    struct error next = {.status = status};
    if (reason != NULL)
        mend_cut(next.reason, sizeof next.reason, snprintf(next.reason, sizeof next.reason, "%s", reason));
    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(next.message, sizeof next.message, format, arguments);
    va_end(arguments);
    mend_cut(next.message, sizeof next.message, wanted);
    *error = next;
}

void error_clear(struct error *error)
{
    if (error != NULL)
        memset(error, 0, sizeof *error);
}
