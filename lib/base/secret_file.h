/*
 * Reads a file that contains a secret: a private key, a token, a password. Refuses a file that anyone but
 * this process's user and root can read or change.
 */
#ifndef SCREENING_BASE_SECRET_FILE_H
#define SCREENING_BASE_SECRET_FILE_H

#include <stddef.h>

#include "base/status.h"

/* The bytes are writable and end with a NUL that is not part of `size`. Do not log or print them. */
struct secret_file {
    char *bytes;
    size_t size; /* at least 1 */
    size_t capacity;
};

/*
 * Reads the whole file at `path`. It must be a regular file (or a link to one) of 1 to `max_bytes` bytes that
 * belongs to this process's effective user or to root, and whose mode gives its group and others no right.
 * Access control list entries that let only this user read it are accepted, because systemd makes credentials
 * so. Does not wait: a pipe is refused, too.
 *
 * Errors: INVALID_ARGUMENT "SETTING: PATH: what is wrong" (never a byte of the file), RESOURCE_EXHAUSTED
 * without memory. On success the caller owns `out` and releases it with secret_file_close. Any thread.
 */
MUST_CHECK enum status secret_file_open(const char *setting, const char *path, size_t max_bytes,
                                        struct secret_file *out, struct error *error);

/* Overwrites the bytes, releases them and clears the struct. A struct of zeros is allowed. Any thread. */
void secret_file_close(struct secret_file *file);

#endif
