/*
 * Structured log: one line of JSON per event on stderr. Never customer names, tokens or SQL parameters.
 *
 *     log_event(LOG_WARN, "booking.refused", LOG_UUID("booking_id", &id), LOG_TEXT("reason", reason));
 *
 * Every line about a booking carries booking_id and request_id. Any thread; a line is written in one call.
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

/* As log_event, for an event without fields. */
#define log_plain(level, event) log_write((level), (event), NULL, 0)

#endif
