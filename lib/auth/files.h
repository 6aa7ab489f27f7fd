/*
 * Files that are read together, and whether one of them has changed since. One owner at a time.
 */
#ifndef SCREENING_AUTH_FILES_H
#define SCREENING_AUTH_FILES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

enum { AUTH_FILE_MAX_BYTES = 256 * 1024 };

struct auth_file;

/* The files that were read or could not be read. Zero is an empty list. */
struct auth_files {
    struct auth_file *files;
    size_t count, capacity;
};

void auth_files_fini(struct auth_files *files);

/*
 * Notes the state of the file, then reads it: a JSON object of at most AUTH_FILE_MAX_BYTES without repeated
 * members. The caller owns *out. Errors: INVALID_ARGUMENT "issuers: PATH: what is wrong", RESOURCE_EXHAUSTED.
 */
MUST_CHECK enum status auth_files_read(struct auth_files *files, const char *path, json_t **out,
                                       struct error *error);

/*
 * Notes the state of a file, which need not exist, before it is read by other means. Returns
 * RESOURCE_EXHAUSTED when out of memory.
 */
MUST_CHECK enum status auth_files_note(struct auth_files *files, const char *path, struct error *error);

/*
 * Returns whether a file of the list now differs, by device, inode, size, time of change or existence, from
 * what was noted before it was read.
 */
bool auth_files_changed(const struct auth_files *files);

#endif
