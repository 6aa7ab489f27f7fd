/*
 * Writes log lines to file descriptor 2, whatever it currently refers to. A write never blocks.
 *
 * Private to log.c, which holds its lock except for log_sink_write_last.
 */
#ifndef SCREENING_BASE_LOG_SINK_H
#define SCREENING_BASE_LOG_SINK_H

#include <stdbool.h>
#include <stddef.h>

/* Includes the newline. A write of this size to a pipe is atomic. */
enum { LOG_LINE_MAX = 2048 };

/* Writes a whole line of at most LOG_LINE_MAX bytes. Returns false if the line, or its end, is lost. */
bool log_sink_write(const char *line, size_t size);

/*
 * Like log_sink_write, for the last line of a process that is about to abort. Uses no state that another
 * thread may hold or change, and waits up to `wait_ms` for room.
 */
bool log_sink_write_last(const char *line, size_t size, int wait_ms);

#endif
