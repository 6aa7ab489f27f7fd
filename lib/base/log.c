/*
 * A line is built in a buffer on the stack and written in one call, so that lines of several threads and
 * processes never mix (a write of this size to a pipe is atomic). What does not fit is cut at a character,
 * later fields are left out, and the line says so; it is valid JSON all the same.
 */
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/utf8.h"

#define CUT_MARK ",\"truncated\":true"
#define LINE_END "}\n"

enum { LINE_SIZE = 2048, BODY_SIZE = LINE_SIZE - (sizeof CUT_MARK - 1) - (sizeof LINE_END - 1) };

struct line {
    char text[LINE_SIZE];
    size_t used;
    bool cut;
};

static const char *const LEVEL_NAMES[] = {"debug", "info", "warn", "error"};

static const char *program_name = "";
static enum log_level lowest_level = LOG_INFO;
static struct metric lines_lost = METRIC("log_lines_lost_total", "Log lines that stderr did not take");

void log_open(const char *program, enum log_level threshold)
{
    program_name = program;
    lowest_level = threshold;
    metric_register(&lines_lost);
}

bool log_level_parse(const char *text, enum log_level *out)
{
    for (size_t i = 0; text != NULL && i < sizeof LEVEL_NAMES / sizeof LEVEL_NAMES[0]; i++) {
        if (strcmp(text, LEVEL_NAMES[i]) == 0) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

bool log_enabled(enum log_level level)
{
    return level >= lowest_level;
}

/* Appends all of it or nothing, keeping `spare` bytes of the body free behind it. */
static bool put(struct line *line, const char *bytes, size_t size, size_t spare)
{
    if (size + spare > BODY_SIZE - line->used) {
        line->cut = true;
        return false;
    }
    memcpy(line->text + line->used, bytes, size);
    line->used += size;
    return true;
}

static bool put_raw(struct line *line, const char *text)
{
    return put(line, text, strlen(text), 0);
}

/* The character at `text` as it stands in a JSON string, in `out`; returns how many bytes of `text` it was.
 */
static size_t escape(const char *text, size_t size, char out[8], size_t *out_size)
{
    uint32_t code_point = 0;
    size_t length = utf8_decode(text, size, &code_point);
    if (length == 0) {
        code_point = 0xfffdu;
    }
    int written;
    if (code_point == '"' || code_point == '\\') {
        written = snprintf(out, 8, "\\%c", (char)code_point);
    } else if (length == 0 || code_point < 0x20u || (code_point >= 0x7fu && code_point <= 0x9fu)) {
        written = snprintf(out, 8, "\\u%04x", (unsigned)(code_point & 0xffffu));
    } else {
        memcpy(out, text, length);
        written = (int)length;
    }
    *out_size = (size_t)written;
    return length != 0 ? length : 1;
}

static bool put_string(struct line *line, const char *text)
{
    const size_t closing = 1;
    if (!put(line, "\"", 1, closing)) {
        return false;
    }
    size_t size = strlen(text);
    for (size_t position = 0; position < size;) {
        char unit[8];
        size_t unit_size = 0;
        position += escape(text + position, size - position, unit, &unit_size);
        if (!put(line, unit, unit_size, closing)) {
            break;
        }
    }
    return put(line, "\"", 1, 0);
}

static bool put_value(struct line *line, const struct log_field *field)
{
    char text[UUID_TEXT_SIZE];
    switch (field->type) {
    case LOG_FIELD_TEXT:
        return field->value.text != NULL ? put_string(line, field->value.text) : put_raw(line, "null");
    case LOG_FIELD_INT:
        (void)snprintf(text, sizeof text, "%" PRId64, field->value.number);
        return put_raw(line, text);
    case LOG_FIELD_UUID:
        return field->value.uuid != NULL ? put_string(line, uuid_format(field->value.uuid, text))
                                         : put_raw(line, "null");
    }
    return put_raw(line, "null");
}

static void put_field(struct line *line, const struct log_field *field)
{
    size_t before = line->used;
    const char *separator = before == 0 ? "{" : ",";
    if (!put_raw(line, separator) || !put_string(line, field->name) || !put_raw(line, ":") ||
        !put_value(line, field)) {
        line->used = before;
    }
}

static void write_line(const struct line *line)
{
    ssize_t written;
    do {
        written = write(STDERR_FILENO, line->text, line->used);
    } while (written < 0 && errno == EINTR);
    if (written != (ssize_t)line->used) {
        metric_add(&lines_lost, 1);
    }
}

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
    if (!log_enabled(level)) {
        return;
    }
    int caller_errno = errno;
    char time[CLOCK_TEXT_SIZE];
    const struct log_field common[] = {
        LOG_TEXT("ts", clock_format(clock_now_us(), time)),
        LOG_TEXT("level", LEVEL_NAMES[level]),
        LOG_TEXT("program", program_name),
        LOG_TEXT("event", event),
    };
    struct line line;
    line.used = 0;
    line.cut = false;
    for (size_t i = 0; i < sizeof common / sizeof common[0]; i++) {
        put_field(&line, &common[i]);
    }
    for (size_t i = 0; i < count && !line.cut; i++) {
        put_field(&line, &fields[i]);
    }
    const char *end = line.cut ? CUT_MARK LINE_END : LINE_END;
    memcpy(line.text + line.used, end, strlen(end));
    line.used += strlen(end);
    write_line(&line);
    errno = caller_errno;
}
