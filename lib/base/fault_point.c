/*
 * Entries are set before other threads start and do not change afterwards. Threads change only the pass
 * counters, which are atomic. A pass looks up its point by name, but only while some point is armed.
 */
#include "base/fault_point.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum { ENTRIES_MAX = 64, STALL_MAX_MS = 3600 * MS_PER_S, ACTION_TEXT_SIZE = 32, EXIT_CONFIG = 2 };

/* All points. `tests/checks/check docs` compares them with the code and with docs/fault-points.md. */
static const struct point {
    const char *name;
    enum status fails_with; /* the default status of fail; STATUS_OK = the point cannot fail */
} POINTS[] = {
    // clang-format off
    {"db.begin", STATUS_UNAVAILABLE},
    {"db.run", STATUS_UNAVAILABLE},
    {"db.commit", STATUS_UNAVAILABLE},
    {"db.commit_answer", STATUS_UNKNOWN},
    {"migrate.step", STATUS_OK},
    {"writer.before_begin", STATUS_OK},
    {"writer.before_apply", STATUS_OK},
    {"writer.before_commit", STATUS_OK},
    {"writer.after_commit", STATUS_OK},
    {"writer.after_replies", STATUS_OK},
    {"writer.after_publish", STATUS_OK},
    {"rpc.server.before_handler", STATUS_OK},
    {"rpc.server.before_reply", STATUS_OK},
    {"rpc.server.after_reply", STATUS_OK},
    {"rpc.client.before_send", STATUS_OK},
    {"rpc.client.after_send", STATUS_OK},
    {"events.before_publish", STATUS_UNAVAILABLE},
    {"events.fetch.before_answer", STATUS_OK},
    {"events.chunk.before_apply", STATUS_INTERNAL},
    {"events.chunk.before_cursor", STATUS_OK},
    {"reserve.before_call", STATUS_OK},
    {"reserve.after_call", STATUS_OK},
    {"settler.take_up", STATUS_OK},
    {"force_cancel.chunk", STATUS_OK},
    {"force_cancel.after_chunk", STATUS_OK},
    {"rebuild.before_swap", STATUS_OK},
    // clang-format on
};

enum { POINT_COUNT = sizeof POINTS / sizeof POINTS[0] };

enum action { CRASH, STALL, FAIL };

struct entry {
    size_t point;
    int64_t first, last; /* range of passes */
    enum action action;
    enum status status; /* for FAIL */
    int64_t stall_ms;   /* for STALL */
};

bool fault_points_armed;

static struct entry entries[ENTRIES_MAX];
static size_t entry_count;
static atomic_llong passes[POINT_COUNT];

/* Returns the index of a point, or POINT_COUNT for an unknown name. */
static size_t find_point(const char *name)
{
    size_t i = 0;
    while (i < POINT_COUNT && strcmp(POINTS[i].name, name) != 0)
        i++;
    return i;
}

/* ---- parsing ---- */

/* Parses a number at *text and moves *text past it. Returns whether the number is between 1 and `max`. */
static bool take_number(const char **text, int64_t max, int64_t *out)
{
    char *end = NULL;
    if (**text < '0' || **text > '9')
        return false;
    *out = strtoll(*text, &end, 10);
    *text = end;
    return *out >= 1 && *out <= max;
}

static bool parse_passes(const char *text, struct entry *entry)
{
    if (!take_number(&text, INT64_MAX - 1, &entry->first))
        return false;
    entry->last = entry->first;
    if (*text == '+') {
        entry->last = INT64_MAX;
        text++;
    } else if (*text == '-') {
        text++;
        if (!take_number(&text, INT64_MAX - 1, &entry->last))
            return false;
    }
    return *text == '\0' && entry->first <= entry->last;
}

static bool parse_status(const char *word, enum status *out)
{
    for (int i = STATUS_OK + 1; i < STATUS_COUNT; i++) {
        if (strcmp(word, status_name((enum status)i)) == 0) {
            *out = (enum status)i;
            return true;
        }
    }
    return false;
}

static bool parse_action(const char *text, struct entry *entry)
{
    static const char stall[] = "stall=", fail[] = "fail=";
    if (strcmp(text, "crash") == 0) {
        entry->action = CRASH;
        return true;
    }
    if (strncmp(text, stall, sizeof stall - 1) == 0) {
        const char *number = text + sizeof stall - 1;
        entry->action = STALL;
        return take_number(&number, STALL_MAX_MS, &entry->stall_ms) && *number == '\0';
    }
    entry->action = FAIL;
    entry->status = POINTS[entry->point].fails_with;
    return strcmp(text, "fail") == 0 || (strncmp(text, fail, sizeof fail - 1) == 0 &&
                                         parse_status(text + sizeof fail - 1, &entry->status));
}

/* Parses POINT:ACTION[@PASSES] in place. Returns NULL, or a message if the text is invalid. */
static const char *parse_entry(char *text, struct entry *entry)
{
    char *action = strchr(text, ':');
    if (action == NULL)
        return "must be POINT:ACTION";
    *action++ = '\0';
    char *passes_text = strchr(action, '@');
    if (passes_text != NULL)
        *passes_text++ = '\0';
    entry->point = find_point(text);
    if (entry->point == POINT_COUNT)
        return "there is no such point";
    if (!parse_action(action, entry))
        return "the action must be crash, stall=MS, fail or fail=STATUS";
    if (entry->action == FAIL && POINTS[entry->point].fails_with == STATUS_OK)
        return "this point can only crash or stall";
    if (!parse_passes(passes_text != NULL ? passes_text : "1", entry))
        return "the passes must be @N, @N+ or @N-M";
    return NULL;
}

static enum status parse_entries(char *text, struct error *error)
{
    char *rest = NULL;
    for (char *one = strtok_r(text, ";", &rest); one != NULL; one = strtok_r(NULL, ";", &rest)) {
        if (entry_count == ENTRIES_MAX)
            return error_invalid(error, "at most %d entries", ENTRIES_MAX);
        const char *fault = parse_entry(one, &entries[entry_count]);
        if (fault != NULL)
            return error_invalid(error, "%s: %s", one, fault);
        entry_count++;
    }
    return STATUS_OK;
}

enum status fault_points_arm(const char *text, struct error *error)
{
    char *copy = strdup(text != NULL ? text : "");
    fault_points_armed = false;
    entry_count = 0;
    if (copy == NULL)
        return error_no_memory(error);
    for (size_t i = 0; i < POINT_COUNT; i++)
        atomic_store(&passes[i], 0);
    enum status status = parse_entries(copy, error);
    free(copy);
    fault_points_armed = status == STATUS_OK && entry_count > 0;
    return status;
}

/* Runs before main, so that every program supports fault points without code of its own. */
__attribute__((constructor)) static void arm_from_environment(void)
{
    const char *text = getenv("SCREENING_FAULTS");
    struct error error;
    if (text != NULL && strcmp(text, "list") == 0) {
        for (size_t i = 0; i < POINT_COUNT; i++)
            (void)puts(POINTS[i].name);
        exit(0);
    }
    if (fault_points_arm(text, &error) != STATUS_OK) {
        (void)fprintf(stderr, "SCREENING_FAULTS: %s\n", error.message);
        exit(EXIT_CONFIG);
    }
}

/* ---- firing ---- */

static const char *action_text(const struct entry *entry, char text[ACTION_TEXT_SIZE])
{
    switch (entry->action) {
    case CRASH:
        return "crash";
    case STALL:
        (void)snprintf(text, ACTION_TEXT_SIZE, "stall=%d", (int)entry->stall_ms);
        break;
    case FAIL:
        (void)snprintf(text, ACTION_TEXT_SIZE, "fail=%s", status_name(entry->status));
        break;
    }
    return text;
}

/* Logs a firing. The log writes each line in one call, so a crash right afterwards does not lose the line. */
static void log_fired(const struct entry *entry, int64_t pass)
{
    char text[ACTION_TEXT_SIZE];
    log_event(LOG_WARN, "fault.fired", LOG_TEXT("point", POINTS[entry->point].name),
              LOG_TEXT("action", action_text(entry, text)), LOG_INT("pass", pass));
}

static _Noreturn void crash(void)
{
    (void)kill(getpid(), SIGKILL);
    for (;;)
        (void)pause();
}

static void stall(int64_t ms)
{
    struct timespec left = {.tv_sec = ms / MS_PER_S, .tv_nsec = (long)(ms % MS_PER_S) * NS_PER_MS};
    while (nanosleep(&left, &left) != 0) {
    }
}

/* Counts the pass and carries out the entries armed for it. Returns OK, or the status to fail with. */
static enum status pass_point(const char *name)
{
    enum status failed = STATUS_OK;
    size_t point = find_point(name);
    if (point == POINT_COUNT)
        return STATUS_OK; /* tests/checks/check docs reports an unknown name */
    int64_t pass = atomic_fetch_add(&passes[point], 1) + 1;
    for (size_t i = 0; i < entry_count; i++) {
        const struct entry *entry = &entries[i];
        if (entry->point != point || pass < entry->first || pass > entry->last)
            continue;
        log_fired(entry, pass);
        if (entry->action == CRASH)
            crash();
        else if (entry->action == STALL)
            stall(entry->stall_ms);
        else
            failed = entry->status;
    }
    return failed;
}

void fault_point_pass(const char *name)
{
    (void)pass_point(name); /* the parser rejects `fail` for a point that has no status */
}

enum status fault_point_status(const char *name, struct error *error)
{
    enum status status = pass_point(name);
    if (status == STATUS_OK)
        return STATUS_OK;
    return error_set(error, status, NULL, "fault point %s", name);
}
