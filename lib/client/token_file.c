#include "client/token_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char scheme[] = "Bearer ";

enum { MODE_BITS = 07777, NS_PER_S = 1000000000, SETTLED_NS = 100000000 };

bool token_file_init(struct token_file *file, const char *path)
{
    *file = (struct token_file){.path = strdup(path)};
    if (file->path != NULL && pthread_mutex_init(&file->mutex, NULL) == 0)
        return true;
    free(file->path);
    *file = (struct token_file){0};
    return false;
}

void token_file_free(char *text)
{
    if (text != NULL)
        explicit_bzero(text, strlen(text));
    free(text);
}

void token_file_fini(struct token_file *file)
{
    if (file->path == NULL)
        return;
    (void)pthread_mutex_destroy(&file->mutex);
    token_file_free(file->text);
    free(file->path);
    *file = (struct token_file){0};
}

static enum token_file_result refuse(const struct token_file *file, const char *reason,
                                     char why[TOKEN_FILE_WHY_SIZE])
{
    (void)snprintf(why, TOKEN_FILE_WHY_SIZE, "%s: %s", file->path, reason);
    return TOKEN_FILE_WRONG;
}

static enum token_file_result refuse_errno(const struct token_file *file, char why[TOKEN_FILE_WHY_SIZE])
{
    bool absent = errno == ENOENT;
    (void)refuse(file, strerror(errno), why);
    return absent ? TOKEN_FILE_ABSENT : TOKEN_FILE_WRONG;
}

/* A file that was replaced or written to differs in one of these; a changed mode or owner moves st_ctim. */
static bool is_unchanged(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/*
 * Returns whether the file had not changed for a while. A change within the same tick of the system's clock
 * may leave all that is_unchanged compares as it was, even the inode, which a later file may get again.
 */
static bool is_settled(const struct stat *found)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now); /* fails only for an unknown clock */
    int64_t age_ns =
        ((int64_t)now.tv_sec - found->st_ctim.tv_sec) * NS_PER_S + now.tv_nsec - found->st_ctim.tv_nsec;
    return age_ns > SETTLED_NS;
}

static enum token_file_result check(const struct token_file *file, const struct stat *found,
                                    char why[TOKEN_FILE_WHY_SIZE])
{
    char reason[TOKEN_FILE_WHY_SIZE / 2];
    if (!S_ISREG(found->st_mode))
        return refuse(file, "must be a regular file", why);
    if (found->st_uid != geteuid() && found->st_uid != 0) {
        (void)snprintf(reason, sizeof reason, "must belong to user %u or to root, not to user %u",
                       (unsigned)geteuid(), (unsigned)found->st_uid);
        return refuse(file, reason, why);
    }
    if ((found->st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        (void)snprintf(reason, sizeof reason, "its mode is %04o: only its owner may read it (chmod 600)",
                       (unsigned)found->st_mode & MODE_BITS);
        return refuse(file, reason, why);
    }
    if (found->st_size > TOKEN_FILE_MAX_BYTES) {
        (void)snprintf(reason, sizeof reason, "must have at most %d bytes", TOKEN_FILE_MAX_BYTES);
        return refuse(file, reason, why);
    }
    return TOKEN_FILE_OK;
}

/* Returns whether the bytes, without a line end, are a token as RFC 6750 writes it. Cuts the line end off. */
static bool is_token(char *text, size_t size)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/=";
    size_t length = strspn(text, letters);
    size_t end = length + strspn(text + length, "\r\n");
    text[length] = '\0';
    return length > 0 && end == size;
}

/* Reads the open file into a new "Bearer TOKEN". */
static enum token_file_result read_text(const struct token_file *file, int descriptor, char **out,
                                        char why[TOKEN_FILE_WHY_SIZE])
{
    enum { PREFIX = sizeof scheme - 1 };
    char *text = calloc(1, PREFIX + TOKEN_FILE_MAX_BYTES + 1);
    if (text == NULL)
        return TOKEN_FILE_MEMORY;
    memcpy(text, scheme, PREFIX);
    size_t size = 0;
    ssize_t got = 1;
    while (size < TOKEN_FILE_MAX_BYTES && got != 0) {
        got = read(descriptor, text + PREFIX + size, TOKEN_FILE_MAX_BYTES - size);
        if (got < 0 && errno != EINTR) {
            enum token_file_result result = refuse_errno(file, why);
            token_file_free(text);
            return result;
        }
        size += got > 0 ? (size_t)got : 0;
    }
    if (!is_token(text + PREFIX, size)) {
        explicit_bzero(text, PREFIX + TOKEN_FILE_MAX_BYTES);
        free(text);
        return refuse(file, "holds no token", why);
    }
    *out = text;
    return TOKEN_FILE_OK;
}

/* Opens the file and reads it into file->text. The caller holds the lock. */
static enum token_file_result read_again(struct token_file *file, char why[TOKEN_FILE_WHY_SIZE])
{
    int descriptor =
        open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a FIFO must not block */
    struct stat found;
    char *text = NULL;
    bool settled = false;
    if (descriptor < 0)
        return refuse_errno(file, why);
    enum token_file_result result =
        fstat(descriptor, &found) == 0 ? check(file, &found, why) : refuse_errno(file, why);
    if (result == TOKEN_FILE_OK) {
        settled = is_settled(&found);
        result = read_text(file, descriptor, &text, why);
    }
    (void)close(descriptor);
    if (result == TOKEN_FILE_OK) {
        token_file_free(file->text);
        file->text = text;
        file->read = found;
        file->settled = settled;
    }
    return result;
}

enum token_file_result token_file_read(struct token_file *file, char **out, char why[TOKEN_FILE_WHY_SIZE])
{
    struct stat found;
    enum token_file_result result = TOKEN_FILE_OK;
    (void)snprintf(why, TOKEN_FILE_WHY_SIZE, "out of memory");
    (void)pthread_mutex_lock(&file->mutex);
    if (file->text == NULL || !file->settled || stat(file->path, &found) != 0 ||
        !is_unchanged(&found, &file->read))
        result = read_again(file, why);
    char *copy = result == TOKEN_FILE_OK && file->text != NULL ? strdup(file->text) : NULL;
    (void)pthread_mutex_unlock(&file->mutex);
    if (result == TOKEN_FILE_OK && copy == NULL)
        return TOKEN_FILE_MEMORY;
    if (result == TOKEN_FILE_OK)
        *out = copy;
    return result;
}
