#include "watch.h"

#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum { PATH_SIZE = 64, TEXT_SIZE = 4096, STAT_TICKS = 4 };

bool watch_add(struct watch *watch, const char *name, pid_t pid)
{
    if (watch->count == WATCH_MAX || strlen(name) >= WATCH_NAME_SIZE)
        return false;
    struct watched *watched = &watch->processes[watch->count++];
    *watched = (struct watched){.pid = pid, .readable = true};
    snprintf(watched->name, sizeof watched->name, "%s", name);
    return true;
}

bool watch_add_text(struct watch *watch, const char *text)
{
    char name[WATCH_NAME_SIZE], *end;
    const char *equals = strchr(text, '=');
    if (equals == NULL || (size_t)(equals - text) >= sizeof name)
        return false;
    snprintf(name, sizeof name, "%.*s", (int)(equals - text), text);
    long pid = strtol(equals + 1, &end, 10);
    return end != equals + 1 && *end == '\0' && pid > 0 && pid <= INT_MAX &&
           watch_add(watch, name, (pid_t)pid);
}

/* Reads the beginning of a file in /proc. Returns false if the file cannot be read or is empty. */
static bool read_text(const char *path, char text[TEXT_SIZE])
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    size_t size = fread(text, 1, TEXT_SIZE - 1, file);
    text[size] = '\0';
    fclose(file);
    return size > 0;
}

/* Returns the number after "KEY:" at the start of a line, or 0 if there is none. */
static int64_t number_of(const char *text, const char *key)
{
    size_t size = strlen(key);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, size) == 0 && line[size] == ':')
            return strtoll(line + size + 1, NULL, 10);
    }
    return 0;
}

/* Adds the times of the process and of the children for which it has waited: utime, stime, cutime and cstime
 * of proc(5). */
static bool add_times(pid_t pid, struct usage *usage)
{
    char path[PATH_SIZE], text[TEXT_SIZE];
    int64_t ticks[STAT_TICKS];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (!read_text(path, text))
        return false;
    const char *after_name = strrchr(text, ')');
    if (after_name == NULL ||
        sscanf(after_name,
               ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64,
               &ticks[0], &ticks[1], &ticks[2], &ticks[3]) != STAT_TICKS)
        return false;
    const int64_t us_per_tick = US_PER_S / sysconf(_SC_CLK_TCK);
    usage->user_us += (ticks[0] + ticks[2]) * us_per_tick;
    usage->kernel_us += (ticks[1] + ticks[3]) * us_per_tick;
    return true;
}

static bool add_bytes(pid_t pid, struct usage *usage)
{
    char path[PATH_SIZE], text[TEXT_SIZE];
    snprintf(path, sizeof path, "/proc/%d/io", (int)pid);
    if (!read_text(path, text))
        return false;
    usage->stored_bytes += number_of(text, "write_bytes");
    usage->written_bytes += number_of(text, "wchar");
    return true;
}

static bool add_process(pid_t pid, struct usage *usage);

static void add_children(const char *children, struct usage *usage)
{
    char *end;
    for (long pid; (pid = strtol(children, &end, 10)) > 0; children = end)
        (void)add_process((pid_t)pid, usage); /* if the child has just ended, its parent counts it */
}

static void add_thread(pid_t pid, const char *thread, struct usage *usage)
{
    char path[PATH_SIZE], text[TEXT_SIZE];
    snprintf(path, sizeof path, "/proc/%d/task/%.16s/status", (int)pid, thread);
    if (read_text(path, text)) {
        usage->voluntary += number_of(text, "voluntary_ctxt_switches");
        usage->involuntary += number_of(text, "nonvoluntary_ctxt_switches");
    }
    snprintf(path, sizeof path, "/proc/%d/task/%.16s/children", (int)pid, thread);
    if (read_text(path, text))
        add_children(text, usage);
}

static bool add_process(pid_t pid, struct usage *usage)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *threads = opendir(path);
    if (threads == NULL)
        return false;
    for (const struct dirent *thread; (thread = readdir(threads)) != NULL;)
        if (thread->d_name[0] != '.')
            add_thread(pid, thread->d_name, usage);
    closedir(threads);
    return add_times(pid, usage) && add_bytes(pid, usage);
}

static bool take_usage(pid_t pid, struct usage *usage)
{
    char path[PATH_SIZE], text[TEXT_SIZE];
    *usage = (struct usage){0};
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    if (!add_process(pid, usage) || !read_text(path, text))
        return false;
    usage->rss_kib = number_of(text, "VmRSS");
    usage->rss_peak_kib = number_of(text, "VmHWM");
    return true;
}

void watch_begin(struct watch *watch)
{
    for (size_t i = 0; i < watch->count; i++) {
        struct watched *watched = &watch->processes[i];
        watched->readable = watched->readable && take_usage(watched->pid, &watched->at_begin);
    }
}

void watch_end(struct watch *watch)
{
    for (size_t i = 0; i < watch->count; i++) {
        struct watched *watched = &watch->processes[i];
        watched->readable = watched->readable && take_usage(watched->pid, &watched->at_end);
    }
}

struct usage watch_used(const struct watched *watched)
{
    const struct usage *begin = &watched->at_begin, *end = &watched->at_end;
    return (struct usage){
        .user_us = end->user_us - begin->user_us,
        .kernel_us = end->kernel_us - begin->kernel_us,
        .voluntary = end->voluntary - begin->voluntary,
        .involuntary = end->involuntary - begin->involuntary,
        .stored_bytes = end->stored_bytes - begin->stored_bytes,
        .written_bytes = end->written_bytes - begin->written_bytes,
        .rss_kib = end->rss_kib,
        .rss_peak_kib = end->rss_peak_kib,
    };
}
