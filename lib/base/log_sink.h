/*
 * Writes log lines to file descriptor 2, whatever it currently refers to. log_sink_write does not wait for a
 * reader of a full pipe, terminal or socket.
 *
 * Only for log.c, which holds its lock during every call except log_sink_write_last.
 */
#ifndef SCREENING_BASE_LOG_SINK_H
#define SCREENING_BASE_LOG_SINK_H

#include <stdbool.h>
#include <stddef.h>

/* The maximum size of a line, including the newline. A write of this size to a pipe is atomic. */
enum { LOG_LINE_MAX = 2048 };

/*
 * Writes one or more whole lines, of at most PIPE_BUF bytes in all. Returns false if they, or the end of
 * them, are lost.
 */
bool log_sink_write(const char *line, size_t size);

/*
 * Like log_sink_write, for the last line of a process that is about to abort. Uses no state that another
 * thread may hold or change, and waits up to `wait_ms` for room.
 */
bool log_sink_write_last(const char *line, size_t size, int wait_ms);

#endif
