#include "file.h"

#include "client.h"
#include "message.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum status fail(const char *path, struct error *error)
{
    enum status status = errno == ENOENT ? STATUS_NOT_FOUND : STATUS_FAILED_PRECONDITION;
    return error_set(error, status, NULL, "%s: %s", path, strerror(errno));
}

/* ---- writing ---- */

static bool write_all(int file, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(file, bytes, size);
        if (written < 0 && errno != EINTR)
            return false;
        bytes += written > 0 ? written : 0;
        size -= written > 0 ? (size_t)written : 0;
    }
    return true;
}

/* Writes a new file beside `path`, whose name replaces the Xs of `beside`. Removes it on failure. */
static enum status write_beside(const char *path, char *beside, const void *bytes, size_t size, mode_t mode,
                                struct error *error)
{
    int file = mkostemp(beside, O_CLOEXEC);
    if (file < 0)
        return error_set(error, STATUS_FAILED_PRECONDITION, NULL, "%s: %s", path, strerror(errno));
    bool written = write_all(file, bytes, size) && fchmod(file, mode) == 0 && fsync(file) == 0;
    int reason = errno;
    close(file);
    if (written && rename(beside, path) == 0)
        return STATUS_OK;
    reason = written ? errno : reason;
    unlink(beside);
    errno = reason;
    return fail(path, error);
}

enum status file_sync_folder(const char *path, struct error *error)
{
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 || fsync(folder) != 0) {
        enum status status = fail(path, error);
        if (folder >= 0)
            close(folder);
        return status;
    }
    close(folder);
    return STATUS_OK;
}

static enum status replace(struct arena *arena, const char *path, const void *bytes, size_t size, mode_t mode,
                           struct error *error)
{
    char *beside = arena_printf(arena, "%s.XXXXXX", path);
    char *folder = arena_strdup(arena, strchr(path, '/') == NULL ? "./" : path);
    if (beside == NULL || folder == NULL)
        return client_no_memory(error);
    strrchr(folder, '/')[1] = '\0';
    TRY(write_beside(path, beside, bytes, size, mode, error));
    return file_sync_folder(folder, error);
}

enum status file_replace(const char *path, const void *bytes, size_t size, mode_t mode, struct error *error)
{
    struct arena arena;
    arena_init(&arena);
    enum status status = replace(&arena, path, bytes, size, mode, error);
    arena_fini(&arena);
    return status;
}

/* ---- reading ---- */

static enum status read_open(struct arena *arena, const char *path, int file, size_t max, char **out,
                             size_t *size, struct error *error)
{
    char *bytes = arena_alloc(arena, max + 2); /* a byte too many shows, and the NUL */
    size_t used = 0;
    ssize_t got = 1;
    if (bytes == NULL)
        return client_no_memory(error);
    while (used <= max && (got = read(file, bytes + used, max + 1 - used)) != 0) {
        if (got < 0 && errno != EINTR)
            return fail(path, error);
        used += got > 0 ? (size_t)got : 0;
    }
    if (used > max)
        return error_set(error, STATUS_FAILED_PRECONDITION, NULL, _("%s: must be at most %zu bytes"), path,
                         max);
    bytes[used] = '\0';
    *out = bytes;
    if (size != NULL)
        *size = used;
    return STATUS_OK;
}

enum status file_read(struct arena *arena, const char *path, size_t max, char **out, size_t *size,
                      struct error *error)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return fail(path, error);
    enum status status = read_open(arena, path, file, max, out, size, error);
    close(file);
    return status;
}

enum status file_read_input(struct arena *arena, size_t max, char **out, size_t *size, struct error *error)
{
    return read_open(arena, "-", STDIN_FILENO, max, out, size, error);
}
