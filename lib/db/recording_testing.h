/*
 * For the tests of sqlite_gather: a VFS below it that records what reaches the files, and makes writes and
 * syncs fail. One connection at a time uses it.
 */
#ifndef SCREENING_DB_RECORDING_TESTING_H
#define SCREENING_DB_RECORDING_TESTING_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

enum recorded_file { RECORDED_DATABASE, RECORDED_LOG, RECORDED_FILES };
enum recorded_kind { RECORDED_WRITE, RECORDED_TRUNCATE, RECORDED_SYNC, RECORDED_COMMIT };

struct recorded {
    enum recorded_kind kind;
    enum recorded_file file;
    sqlite3_int64 offset; /* of a truncation: the new size */
    int size;
    char *bytes;
};

/* A short write stores the first half, and then the disk is full. The other failures store nothing. */
enum disk_fault { SHORT_WRITE, DISK_FULL, WRITE_ERROR, SYNC_ERROR, DISK_FAULTS };

struct recording {
    struct recorded *list;
    size_t count;
    /* Called after each write, before each sync and after each release of the write lock, unless NULL. */
    void (*watch)(void);
    enum disk_fault fault;
    int pass;  /* writes or syncs that pass before the fault */
    int times; /* how often the fault then occurs */
    int fired;
};

extern struct recording recording;

/* Makes the recording VFS the default VFS. Returns the name of the VFS that was the default before. */
const char *recording_install(void);

/* Forgets everything recorded, the fault and the watch. */
void recording_clear(void);

/* Records that a commit has returned OK. */
void recording_commit(void);

/* The content of both files. */
struct image {
    struct {
        char *bytes;
        size_t size;
    } files[RECORDED_FILES];
};

/* Applies the first `size` bytes of the recorded write to the image, or the truncation. */
void image_apply(struct image *image, const struct recorded *event, int size);
void image_copy(struct image *to, const struct image *from, enum recorded_file file);
void image_clear(struct image *image);

/* Reads the database at `path` into the image; the log is empty. */
void image_read(struct image *image, const char *path);

/* Writes the image to `path` and `path`-wal. */
void image_write(const struct image *image, const char *path);

#endif
