/*
 * Structured log: one line of JSON per event on stderr. Never log customer names, tokens or SQL parameters.
 *
 *     log_event(LOG_WARN, "booking.refused", LOG_UUID("booking_id", &id), LOG_TEXT("reason", reason));
 *
 * Every line about a booking carries booking_id and request_id. Any thread; each line is written in one call.
 *
 * Only log_last waits for the reader of a full pipe, terminal or socket. The other functions drop a line that
 * does not fit and count it in log_lines_lost_total. Clients cannot flood the log, because each event may log
 * a burst of 200 lines and then 20 lines per second (1000 and 200 at level debug). The next line that the
 * event logs has a field "suppressed" with the number of lines skipped before it. log_lines_suppressed_total
 * counts all skipped lines.
 */
#ifndef SCREENING_BASE_LOG_H
#define SCREENING_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/uuid.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

enum log_field_type { LOG_FIELD_TEXT, LOG_FIELD_INT, LOG_FIELD_UUID };

struct log_field {
    const char *name;
    enum log_field_type type;
    union {
        const char *text; /* NULL is written as null */
        int64_t number;
        const struct uuid *uuid;
    } value;
};

#define LOG_TEXT(field_name, v) ((struct log_field){(field_name), LOG_FIELD_TEXT, {.text = (v)}})
#define LOG_INT(field_name, v)  ((struct log_field){(field_name), LOG_FIELD_INT, {.number = (int64_t)(v)}})
#define LOG_UUID(field_name, v) ((struct log_field){(field_name), LOG_FIELD_UUID, {.uuid = (v)}})

/*
 * Sets the program name for every line, and the lowest level that is written. Call it before other threads
 * start.
 */
void log_open(const char *program, enum log_level threshold);

/* Parses "debug", "info", "warn" or "error". Returns false for anything else. */
bool log_level_parse(const char *text, enum log_level *out);

bool log_enabled(enum log_level level);

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count);

/* Evaluates the arguments only if the level is enabled. */
#define log_event(level, event, ...)                                                                         \
    do {                                                                                                     \
        if (log_enabled(level)) {                                                                            \
            const struct log_field log_fields_[] = {__VA_ARGS__};                                            \
            log_write((level), (event), log_fields_, sizeof log_fields_ / sizeof log_fields_[0]);            \
        }                                                                                                    \
    } while (0)

/*
 * Like log_event, but skips the line if the event was logged for the same `key` within the last minute,
 * unless another key has displaced this one (log_limit.h). Use it for events that a client, identified by
 * `key`, can trigger repeatedly.
 */
#define log_event_once_a_minute(level, event, key, ...)                                                      \
    do {                                                                                                     \
        if (log_enabled(level) && log_is_first((event), (key)))                                              \
            log_event((level), (event), __VA_ARGS__);                                                        \
    } while (0)

/* Use log_event_once_a_minute instead. */
bool log_is_first(const char *event, const char *key);

/* Like log_event, for an event without fields. */
#define log_plain(level, event) log_write((level), (event), NULL, 0)

/*
 * After log_hold, the log buffers lines below level warn. log_release writes them, and so does the first line
 * that cannot be buffered. log_drop discards them, so that a program with a wrong configuration prints only
 * one line.
 */
void log_hold(void);
void log_release(void);
void log_drop(void);

/* How long log_last waits for room on stderr. */
enum { LOG_LAST_WAIT_MS = 1000 };

/*
 * Like log_event at level error, for a process that is about to end and cannot trust its own state. Takes no
 * lock, has no rate limit, and waits for room if stderr is full.
 */
#define log_last(event, ...)                                                                                 \
    do {                                                                                                     \
        const struct log_field log_fields_[] = {__VA_ARGS__};                                                \
        log_write_last((event), log_fields_, sizeof log_fields_ / sizeof log_fields_[0]);                    \
    } while (0)
void log_write_last(const char *event, const struct log_field *fields, size_t count);

/*
 * Writes one line "PROGRAM: MESSAGE" for people, with no rate limit and no level. Does not wait for a reader.
 */
void log_say(const char *program, const char *message);

#endif
