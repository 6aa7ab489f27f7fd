/*
 * Reads an access token from a file, and reads it again when the file changes. Refuses a file that others can
 * read. Needs only the C library, so that libscreening-client and screenctl share it. Replace the file by a
 * rename: a reader may see half of a file that is written in place.
 */
#ifndef SCREENING_CLIENT_TOKEN_FILE_H
#define SCREENING_CLIENT_TOKEN_FILE_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/stat.h>

enum { TOKEN_FILE_MAX_BYTES = 8192, TOKEN_FILE_WHY_SIZE = 256 };

enum token_file_result {
    TOKEN_FILE_OK,
    TOKEN_FILE_ABSENT, /* there is no such file */
    TOKEN_FILE_WRONG,  /* it cannot be read, others can read it, or it holds no token */
    TOKEN_FILE_MEMORY
};

struct token_file {
    char *path;
    pthread_mutex_t mutex; /* guards the next three members */
    struct stat read;      /* the file as it was when `text` was read */
    bool settled;          /* whether any later change differs from `read` */
    char *text;            /* "Bearer TOKEN", or NULL before the first reading */
};

/* Copies the path. Reads nothing yet. Returns false when out of memory. End it with token_file_fini. */
bool token_file_init(struct token_file *file, const char *path);

/* Overwrites and frees the token. A file of zeros is allowed. */
void token_file_fini(struct token_file *file);

/*
 * Sets *out to "Bearer TOKEN" for the header `authorization`. The caller frees it with token_file_free. Any
 * result but TOKEN_FILE_OK fills `why` with one line that begins with the path and never contains the token.
 * Any thread.
 */
enum token_file_result token_file_read(struct token_file *file, char **out, char why[TOKEN_FILE_WHY_SIZE]);

/* Overwrites and frees a text. NULL is allowed. */
void token_file_free(char *text);

#endif
