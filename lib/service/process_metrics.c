#include "service/process_metrics.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/metrics.h"

enum { LINE = 1024, DECIMAL = 10, START_TIME_FIELD = 22, FIRST_FIELD_BEHIND_NAME = 3 };

/* Prometheus's own client libraries use the same names. */
static struct metric resident =
    METRIC("process_resident_memory_bytes", "Memory of the process that is in RAM");
static struct metric cpu =
    METRIC_IN_UNIT("process_cpu_seconds_total", "Processor time, in user and kernel mode", NULL, 1e-6);
static struct metric started =
    METRIC_IN_UNIT("process_start_time_seconds", "When the process began, since 1970 UTC", NULL, 1e-3);
static struct metric open_files = METRIC("process_open_fds", "Open file descriptors");
static struct metric max_files = METRIC("process_max_fds", "The limit of open file descriptors");

static char build_labels[LINE];
static struct metric build =
    METRIC_LABELLED("build_info", "1, with the program and its version as labels", build_labels);

static void show(struct metric *metric, int64_t value)
{
    metric_set(metric, value);
    metric_register(metric);
}

/* Reads the first line of a file in /proc. Returns false if it cannot be read. */
static bool read_line(const char *path, char line[LINE])
{
    FILE *file = fopen(path, "re");
    bool read = file != NULL && fgets(line, LINE, file) != NULL;
    if (file != NULL)
        (void)fclose(file);
    return read;
}

static void show_memory(void)
{
    char line[LINE], *second = NULL; /* total size, then resident size, in pages */
    if (!read_line("/proc/self/statm", line))
        return;
    (void)strtoll(line, &second, DECIMAL);
    show(&resident, strtoll(second, NULL, DECIMAL) * sysconf(_SC_PAGESIZE));
}

static void show_cpu(void)
{
    struct timespec used;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0)
        show(&cpu, (int64_t)used.tv_sec * US_PER_S + used.tv_nsec / NS_PER_US);
}

/* Sets the start time, which the kernel reports in ticks since boot. */
static void show_start(void)
{
    char line[LINE];
    struct timespec now, up;
    /* The process name, which ends at the last ')', may contain any character. */
    char *field = read_line("/proc/self/stat", line) ? strrchr(line, ')') : NULL;
    for (int i = FIRST_FIELD_BEHIND_NAME - 1; i < START_TIME_FIELD && field != NULL; i++)
        field = strchr(field + 1, ' ');
    if (field == NULL || clock_gettime(CLOCK_REALTIME, &now) != 0 || clock_gettime(CLOCK_BOOTTIME, &up) != 0)
        return;
    int64_t ticks = strtoll(field, NULL, DECIMAL);
    int64_t boot_ms = (now.tv_sec - up.tv_sec) * MS_PER_S + (now.tv_nsec - up.tv_nsec) / NS_PER_MS;
    show(&started, boot_ms + ticks * MS_PER_S / sysconf(_SC_CLK_TCK));
}

static void show_files(void)
{
    struct rlimit limit;
    DIR *folder = opendir("/proc/self/fd");
    if (folder != NULL) {
        int64_t count = -3; /* ".", ".." and the descriptor of the folder itself */
        while (readdir(folder) != NULL)
            count++;
        (void)closedir(folder);
        show(&open_files, count);
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        show(&max_files, (int64_t)limit.rlim_cur);
}

void process_metrics_refresh(void)
{
    if (build_labels[0] == '\0') {
        (void)snprintf(build_labels, sizeof build_labels, "program=\"%s\",version=\"%s\"",
                       program_invocation_short_name, SCREENING_VERSION);
        show(&build, 1);
    }
    show_memory();
    show_cpu();
    show_files();
    if (metric_get(&started) == 0)
        show_start();
}
