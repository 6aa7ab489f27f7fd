/*
 * Structured log: one line of JSON per event on stderr. Never customer names, tokens or SQL parameters.
 *
 *     log_event(LOG_WARN, "booking.refused", LOG_UUID("booking_id", &id), LOG_TEXT("reason", reason));
 *
 * Every line about a booking carries booking_id and request_id. Any thread; a line is written in one call.
 *
 * Logging never waits: a line that a full pipe, terminal or socket has no room for is lost, and counted in
 * log_lines_lost_total. Nor can a caller of the service fill the log: of each event 200 lines are written at
 * once and 20 a second from then on (debug: 1000 and 200); the next one has the number of those in between as
 * "suppressed", and log_lines_suppressed_total counts them.
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

/* Sets the program's name in every line and the lowest level written. Before other threads start. */
void log_open(const char *program, enum log_level threshold);

/* "debug", "info", "warn", "error"; false for anything else. */
bool log_level_parse(const char *text, enum log_level *out);

bool log_enabled(enum log_level level);

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count);

/* The arguments are evaluated only if the level is written. */
#define log_event(level, event, ...)                                                                         \
    do {                                                                                                     \
        if (log_enabled(level)) {                                                                            \
            const struct log_field log_fields_[] = {__VA_ARGS__};                                            \
            log_write((level), (event), log_fields_, sizeof log_fields_ / sizeof log_fields_[0]);            \
        }                                                                                                    \
    } while (0)

/*
 * As log_event, but only the first line of the event for `key` within a minute: for what a caller who is
 * named by `key` can make happen again and again.
 */
#define log_event_once_a_minute(level, event, key, ...)                                                      \
    do {                                                                                                     \
        if (log_enabled(level) && log_is_first((event), (key))) {                                            \
            log_event((level), (event), __VA_ARGS__);                                                        \
        }                                                                                                    \
    } while (0)

/* For log_event_once_a_minute. */
bool log_is_first(const char *event, const char *key);

/* As log_event, for an event without fields. */
#define log_plain(level, event) log_write((level), (event), NULL, 0)

/*
 * From log_hold on, lines below warn are kept, a few at most; log_release writes them, as does a line that is
 * not kept, and log_drop forgets them: a start that fails for its configuration says one line and no more.
 */
void log_hold(void);
void log_release(void);
void log_drop(void);

/* One line "PROGRAM: MESSAGE" for people, without limit and level. Like a line of the log it never waits. */
void log_say(const char *program, const char *message);

#endif
