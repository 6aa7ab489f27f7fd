/*
 * One status for everything that can fail: the codes of google.rpc.Code, 0 = OK.
 *
 * Codes of nng, SQLite, libpq and the system are translated where they occur and never passed on. A function
 * that can fail returns an `enum status` and puts the details into a `struct error`, which the caller owns.
 * The caller may pass NULL.
 */
#ifndef SCREENING_BASE_STATUS_H
#define SCREENING_BASE_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum status {
    STATUS_OK = 0,
    STATUS_CANCELLED = 1,
    STATUS_UNKNOWN = 2, /* internal only: a COMMIT whose result was lost */
    STATUS_INVALID_ARGUMENT = 3,
    STATUS_DEADLINE_EXCEEDED = 4,
    STATUS_NOT_FOUND = 5,
    STATUS_ALREADY_EXISTS = 6,
    STATUS_PERMISSION_DENIED = 7,
    STATUS_RESOURCE_EXHAUSTED = 8,
    STATUS_FAILED_PRECONDITION = 9,
    STATUS_ABORTED = 10,
    STATUS_OUT_OF_RANGE = 11,
    STATUS_UNIMPLEMENTED = 12,
    STATUS_INTERNAL = 13,
    STATUS_UNAVAILABLE = 14,
    STATUS_DATA_LOSS = 15,
    STATUS_UNAUTHENTICATED = 16,
};

enum { STATUS_COUNT = 17, ERROR_REASON_SIZE = 32, ERROR_MESSAGE_SIZE = 224 };

/* Describes a failure, for programs (status, reason, retry_after_ms) and for people (message). */
struct error {
    enum status status;
    uint32_t retry_after_ms;
    char reason[ERROR_REASON_SIZE]; /* a stable word such as SOLD_OUT, or empty */
    char message[ERROR_MESSAGE_SIZE];
};

#define MUST_CHECK __attribute__((warn_unused_result))

/* Returns the code's name, such as "INVALID_ARGUMENT", or "UNRECOGNISED" for any other value. Any thread. */
const char *status_name(enum status status);

/*
 * Returns whether a retry can succeed after this status: true for UNAVAILABLE, DEADLINE_EXCEEDED, ABORTED,
 * RESOURCE_EXHAUSTED and UNKNOWN.
 */
bool status_is_transient(enum status status);

/*
 * Fills `error` (if not NULL) and returns `status`, so that a failing function can end with `return
 * error_set(error, STATUS_NOT_FOUND, NULL, "no booking %s", id);`. Resets retry_after_ms. `reason` may be
 * NULL. Text that is too long is truncated at a character boundary. The arguments may point into `error`.
 */
#define error_set(error, status, reason, ...)                                                                \
    (error_write((error), (status), (reason), __VA_ARGS__), error_status(status))

/*
 * Like error_set, for an invalid argument and without a reason, such as error_invalid(error, "headcount: must
 * be at most %d", max).
 */
#define error_invalid(error, ...) error_set((error), STATUS_INVALID_ARGUMENT, NULL, __VA_ARGS__)

/* Returns the value of error_set. It is a function, so that callers may ignore the value. */
static inline enum status error_status(enum status status)
{
    return status;
}

/* For error_set only, which is a macro so that the compiler and the static analysers see the status. */
void error_write(struct error *error, enum status status, const char *reason, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/*
 * If the call fails, returns its status from the enclosing function. Use it only where nothing needs to be
 * released.
 */
#define TRY(call)                                                                                            \
    do {                                                                                                     \
        enum status try_status = (call);                                                                     \
        if (try_status != STATUS_OK)                                                                         \
            return try_status;                                                                               \
    } while (0)

/* Returns RESOURCE_EXHAUSTED "out of memory". Call it only if nothing has changed, because callers retry. */
static inline enum status error_no_memory(struct error *error)
{
    return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "out of memory");
}

/* Sets `error` (if not NULL) to zero: STATUS_OK, no reason, no message. */
void error_clear(struct error *error);

#endif
