/*
 * Where log lines go: file descriptor 2, whatever it is at that moment. A line never waits for a reader.
 *
 * Private to log.c, under its lock.
 */
#ifndef SCREENING_BASE_LOG_SINK_H
#define SCREENING_BASE_LOG_SINK_H

#include <stdbool.h>
#include <stddef.h>

/* Of a line with its end. A write of this size to a pipe is whole or not at all. */
enum { LOG_LINE_MAX = 2048 };

/* Writes a whole line of at most LOG_LINE_MAX bytes. False: it is lost, all of it or its end. */
bool log_sink_write(const char *line, size_t size);

#endif
