#include "auth/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"

/* The state of a file. Zero if it could not be opened. */
struct stamp {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified, changed;
};

struct auth_file {
    char *path;
    struct stamp stamp;
};

static bool same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool same_stamp(const struct stamp *a, const struct stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           same_time(&a->modified, &b->modified) && same_time(&a->changed, &b->changed);
}

static struct stamp stamp_of(const struct stat *found)
{
    return (struct stamp){found->st_dev, found->st_ino, found->st_size, found->st_mtim, found->st_ctim};
}

void auth_files_fini(struct auth_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->files[i].path);
    free(files->files);
    *files = (struct auth_files){0};
}

static enum status note(struct auth_files *files, const char *path, const struct stamp *stamp,
                        struct error *error)
{
    char *copy = strdup(path);
    if (copy == NULL || array_reserve(&files->files, &files->capacity, files->count + 1) != STATUS_OK) {
        free(copy);
        return error_no_memory(error);
    }
    files->files[files->count++] = (struct auth_file){copy, *stamp};
    return STATUS_OK;
}

static struct stamp stamp_at(const char *path)
{
    struct stat found;
    const bool is_regular = stat(path, &found) == 0 && S_ISREG(found.st_mode);
    return is_regular ? stamp_of(&found) : (struct stamp){0};
}

enum status auth_files_note(struct auth_files *files, const char *path, struct error *error)
{
    const struct stamp stamp = stamp_at(path);
    return note(files, path, &stamp, error);
}

/* Reads until the end of the file or of the buffer. Returns the number of bytes, or -1 with errno. */
static ssize_t read_whole(int file, char *bytes, size_t capacity)
{
    size_t size = 0;
    while (size < capacity) {
        ssize_t got = read(file, bytes + size, capacity - size);
        if (got < 0 && errno != EINTR)
            return -1;
        if (got == 0)
            break;
        size += got > 0 ? (size_t)got : 0;
    }
    return (ssize_t)size;
}

static enum status parse(const char *path, const char *bytes, size_t size, json_t **out, struct error *error)
{
    json_error_t wrong;
    json_t *value = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, &wrong);
    if (value == NULL && json_error_code(&wrong) == json_error_out_of_memory)
        return error_no_memory(error);
    if (value == NULL) {
        /* The text goes on with a quotation, which must not get into the log if the file has a private key.
         */
        const char *quotation = strstr(wrong.text, " near ");
        const size_t length = quotation != NULL ? (size_t)(quotation - wrong.text) : strlen(wrong.text);
        return error_invalid(error, "issuers: %s: line %d, column %d: %.*s", path, wrong.line, wrong.column,
                             (int)length, wrong.text);
    }
    if (!json_is_object(value)) {
        json_decref(value);
        return error_invalid(error, "issuers: %s: must be a JSON object", path);
    }
    *out = value;
    return STATUS_OK;
}

/* Reads a file that had `expected` bytes when it was opened. */
static enum status read_json(int file, off_t expected, const char *path, json_t **out, struct error *error)
{
    if (expected > AUTH_FILE_MAX_BYTES)
        return error_invalid(error, "issuers: %s: must have at most %d bytes", path, AUTH_FILE_MAX_BYTES);
    char *bytes = malloc((size_t)expected + 1);
    if (bytes == NULL)
        return error_no_memory(error);
    const ssize_t size = read_whole(file, bytes, (size_t)expected + 1);
    enum status status;
    if (size < 0)
        status = error_invalid(error, "issuers: %s: %s", path, strerror(errno));
    else if (size > expected)
        status = error_invalid(error, "issuers: %s: has grown while it was read", path);
    else
        status = parse(path, bytes, (size_t)size, out, error);
    free(bytes);
    return status;
}

enum status auth_files_read(struct auth_files *files, const char *path, json_t **out, struct error *error)
{
    /* O_NONBLOCK: a pipe must not stop the service. */
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    const int wrong = errno;
    struct stat found = {0};
    const bool is_regular = file >= 0 && fstat(file, &found) == 0 && S_ISREG(found.st_mode);
    /* A file that may not be read is looked at again when its owner or mode changes. */
    const bool denied = file < 0 && (wrong == EACCES || wrong == EPERM);
    const struct stamp stamp = is_regular ? stamp_of(&found) : denied ? stamp_at(path) : (struct stamp){0};
    enum status status = note(files, path, &stamp, error);
    if (status == STATUS_OK && file < 0)
        status = error_invalid(error, "issuers: %s: %s", path, strerror(wrong));
    else if (status == STATUS_OK && !is_regular)
        status = error_invalid(error, "issuers: %s: must be a regular file", path);
    else if (status == STATUS_OK &&
             ((found.st_mode & (S_IWGRP | S_IWOTH)) != 0 || (found.st_uid != geteuid() && found.st_uid != 0)))
        status =
            error_invalid(error, "issuers: %s: nobody but this user and root may be able to change it", path);
    if (status == STATUS_OK)
        status = read_json(file, found.st_size, path, out, error);
    if (file >= 0)
        (void)close(file); /* an error does not matter after reading */
    return status;
}

bool auth_files_changed(const struct auth_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        const struct stamp stamp = stamp_at(files->files[i].path);
        if (!same_stamp(&stamp, &files->files[i].stamp))
            return true;
    }
    return false;
}
