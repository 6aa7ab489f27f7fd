/*
 * Writes files whole, and reads small ones. A file is written beside its place and renamed, so that a reader
 * sees the old content or the new one. Messages of errors begin with the path.
 */
#ifndef SCREENING_CLI_FILE_H
#define SCREENING_CLI_FILE_H

#include <stddef.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/status.h"

enum { FILE_MODE_SECRET = 0600, FILE_MODE_PUBLIC = 0644 };

/*
 * Creates the file, or replaces it, with `size` bytes and exactly this mode. Returns once the file is on the
 * disk. On failure the old file is unchanged. Returns FAILED_PRECONDITION, or RESOURCE_EXHAUSTED when out of
 * memory.
 */
MUST_CHECK enum status file_replace(const char *path, const void *bytes, size_t size, mode_t mode,
                                    struct error *error);

/* Returns once the entries of the folder at `path` are on the disk. Fails like file_replace. */
MUST_CHECK enum status file_sync_folder(const char *path, struct error *error);

/*
 * Reads at most `max` bytes into the arena and appends a NUL, which *size (may be NULL) does not count.
 * Returns NOT_FOUND if there is no such file, FAILED_PRECONDITION if it cannot be read or is larger, and
 * RESOURCE_EXHAUSTED when out of memory.
 */
MUST_CHECK enum status file_read(struct arena *arena, const char *path, size_t max, char **out, size_t *size,
                                 struct error *error);

/* Like file_read, for what arrives at standard input. */
MUST_CHECK enum status file_read_input(struct arena *arena, size_t max, char **out, size_t *size,
                                       struct error *error);

#endif
