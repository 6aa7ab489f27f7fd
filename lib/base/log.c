/*
 * A line is built in a buffer on the stack and written in one call, so the lines of several threads never
 * interleave. On a pipe, where a write of this size is atomic, the lines of several processes do not
 * interleave either. Text that does not fit is cut at a character boundary, later fields are left out, and
 * the line is marked as truncated. Every line except those of log_say is valid JSON.
 *
 * `lock` guards `limit`, `next_report_ns`, `held` and log_sink.c. It is held during a write, which does not
 * block. log_write_last does not take it, because its caller may hold it.
 */
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log_limit.h"
#include "base/log_sink.h"
#include "base/metrics.h"
#include "base/utf8.h"

#define CUT_MARK ",\"truncated\":true"
#define LINE_END "}\n"

enum { BODY_SIZE = LOG_LINE_MAX - (sizeof CUT_MARK - 1) - (sizeof LINE_END - 1) };

/* How often suppressed lines are reported for events that log no further line. */
enum { REPORT_EVERY_MS = 10000 };

struct line {
    char text[LOG_LINE_MAX];
    size_t used;
    bool cut;
};

static const char *const LEVEL_NAMES[] = {"debug", "info", "warn", "error"};

static const char *program_name = "";
static enum log_level lowest_level = LOG_INFO;
static struct metric lines_lost = METRIC("log_lines_lost_total", "Log lines that stderr did not take");
static struct metric lines_suppressed = METRIC(
    "log_lines_suppressed_total", "Log lines that were not written because there were too many like them");

/* Debug has a higher rate because it logs several lines per booking. */
static const struct log_rate DEBUG_RATE = {.burst = 1000, .per_s = 200};
static const struct log_rate RATE = {.burst = 200, .per_s = 20};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct log_limit limit;
static int64_t next_report_ns;

void log_open(const char *program, enum log_level threshold)
{
    program_name = program;
    lowest_level = threshold;
    metric_register(&lines_lost);
    metric_register(&lines_suppressed);
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

/* Appends the bytes if this leaves `spare` bytes of the body free. Otherwise returns false. */
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

/*
 * Encodes the character at `text` for a JSON string and writes it to `out`. Returns the number of bytes of
 * `text` consumed.
 */
static size_t escape(const char *text, size_t size, char out[8], size_t *out_size)
{
    uint32_t code_point = 0;
    size_t length = utf8_decode(text, size, &code_point);
    if (length == 0)
        code_point = 0xfffdu;
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
    if (!put(line, "\"", 1, closing))
        return false;
    size_t size = strlen(text);
    for (size_t position = 0; position < size;) {
        char unit[8];
        size_t unit_size = 0;
        position += escape(text + position, size - position, unit, &unit_size);
        if (!put(line, unit, unit_size, closing))
            break;
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
        !put_value(line, field))
        line->used = before;
}

/* ---- building ---- */

static void begin_line(struct line *line, enum log_level level, const char *event)
{
    char time[CLOCK_TEXT_SIZE];
    const struct log_field common[] = {
        LOG_TEXT("ts", clock_format(clock_now_us(), time)),
        LOG_TEXT("level", LEVEL_NAMES[level]),
        LOG_TEXT("program", program_name),
        LOG_TEXT("event", event),
    };
    line->used = 0;
    line->cut = false;
    for (size_t i = 0; i < sizeof common / sizeof common[0]; i++)
        put_field(line, &common[i]);
}

static void end_line(struct line *line)
{
    const char *end = line->cut ? CUT_MARK LINE_END : LINE_END;
    memcpy(line->text + line->used, end, strlen(end));
    line->used += strlen(end);
}

/* ---- writing; the caller holds the lock ---- */

static void write_text(const char *text, size_t size)
{
    if (!log_sink_write(text, size))
        metric_add(&lines_lost, 1);
}

/* Lines buffered from log_hold until log_release or log_drop. */
static struct {
    bool on;
    size_t used;
    char text[2 * LOG_LINE_MAX];
} held;

static void write_held(void)
{
    if (held.used > 0)
        write_text(held.text, held.used);
    held.used = 0;
    held.on = false;
}

static void write_line(enum log_level level, const struct line *line)
{
    if (held.on && level < LOG_WARN && held.used + line->used <= sizeof held.text) {
        memcpy(held.text + held.used, line->text, line->used);
        held.used += line->used;
        return;
    }
    write_held();
    write_text(line->text, line->used);
}

/*
 * Reports suppressed lines of events whose flood has ended. Such an event may log no further line that would
 * report them.
 */
static void report_suppressed(int64_t now_ns)
{
    const int64_t pause_ns = (int64_t)REPORT_EVERY_MS * NS_PER_MS;
    const char *event;
    uint64_t suppressed = 0;
    if (now_ns < next_report_ns)
        return;
    next_report_ns = now_ns + pause_ns;
    while ((event = log_limit_next_suppressed(&limit, now_ns - pause_ns, &suppressed)) != NULL) {
        struct line line;
        begin_line(&line, LOG_WARN, "log.suppressed");
        put_field(&line, &LOG_TEXT("of", event));
        put_field(&line, &LOG_INT("lines", suppressed));
        end_line(&line);
        write_text(line.text, line.used);
    }
}

/* ---- public functions ---- */

static bool take(enum log_level level, const char *event, int64_t now_ns, uint64_t *suppressed)
{
    pthread_mutex_lock(&lock);
    bool taken = log_limit_take(&limit, event, level == LOG_DEBUG ? &DEBUG_RATE : &RATE, now_ns, suppressed);
    pthread_mutex_unlock(&lock);
    if (!taken)
        metric_add(&lines_suppressed, 1);
    return taken;
}

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
    int64_t now_ns = clock_monotonic_ns();
    uint64_t suppressed = 0;
    if (!log_enabled(level) || !take(level, event, now_ns, &suppressed))
        return;
    int caller_errno = errno;
    struct line line;
    begin_line(&line, level, event);
    if (suppressed > 0)
        put_field(&line, &LOG_INT("suppressed", suppressed));
    for (size_t i = 0; i < count && !line.cut; i++)
        put_field(&line, &fields[i]);
    end_line(&line);
    pthread_mutex_lock(&lock);
    write_line(level, &line);
    report_suppressed(now_ns);
    pthread_mutex_unlock(&lock);
    errno = caller_errno;
}

void log_write_last(const char *event, const struct log_field *fields, size_t count)
{
    struct line line;
    begin_line(&line, LOG_ERROR, event);
    for (size_t i = 0; i < count && !line.cut; i++)
        put_field(&line, &fields[i]);
    end_line(&line);
    (void)log_sink_write_last(line.text, line.used, LOG_LAST_WAIT_MS);
}

bool log_is_first(const char *event, const char *key)
{
    pthread_mutex_lock(&lock);
    bool first = log_limit_first(&limit, event, key, clock_monotonic_ns());
    pthread_mutex_unlock(&lock);
    if (!first)
        metric_add(&lines_suppressed, 1);
    return first;
}

void log_hold(void)
{
    pthread_mutex_lock(&lock);
    held.on = true;
    pthread_mutex_unlock(&lock);
}

void log_release(void)
{
    pthread_mutex_lock(&lock);
    write_held();
    pthread_mutex_unlock(&lock);
}

void log_drop(void)
{
    pthread_mutex_lock(&lock);
    held.used = 0;
    held.on = false;
    pthread_mutex_unlock(&lock);
}

void log_say(const char *program, const char *message)
{
    char text[LOG_LINE_MAX];
    int size = snprintf(text, sizeof text, "%s: %s\n", program, message);
    if (size >= (int)sizeof text) {
        size = sizeof text - 1;
        text[size - 1] = '\n';
    }
    pthread_mutex_lock(&lock);
    write_text(text, (size_t)size);
    pthread_mutex_unlock(&lock);
}
