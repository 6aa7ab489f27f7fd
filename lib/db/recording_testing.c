#include "db/recording_testing.h"

#include <fcntl.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/unit_testing.h"

struct recording recording;

/* Lies behind a file of the VFS below, as in sqlite_gather.c. */
struct extra {
    sqlite3_io_methods methods;
    const sqlite3_io_methods *below;
    enum recorded_file file;
};

static sqlite3_vfs *below;
static sqlite3_vfs recorder;
static size_t extra_offset;

static struct extra *extra_of(sqlite3_file *file)
{
    return (void *)((char *)file + extra_offset);
}

static void *must_have(void *memory)
{
    assert_non_null(memory);
    return memory;
}

static void record(enum recorded_kind kind, enum recorded_file file, const void *bytes, int size,
                   sqlite3_int64 offset)
{
    struct recorded event = {.kind = kind, .file = file, .offset = offset, .size = size};
    if (size > 0)
        event.bytes = memcpy(must_have(malloc((size_t)size)), bytes, (size_t)size);
    recording.list = must_have(realloc(recording.list, (recording.count + 1) * sizeof event));
    recording.list[recording.count++] = event;
}

static void watch(void)
{
    if (recording.watch != NULL)
        recording.watch();
}

/* Returns whether this write or sync fails. */
static bool fails(bool is_sync)
{
    if (recording.times == 0 || (recording.fault == SYNC_ERROR) != is_sync || recording.pass-- > 0)
        return false;
    recording.pass = 0;
    recording.times--;
    recording.fired++;
    return true;
}

static int write_file(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 offset)
{
    struct extra *extra = extra_of(file);
    bool failing = fails(false);
    if (failing && recording.fault == SHORT_WRITE)
        size /= 2;
    if (!failing || recording.fault == SHORT_WRITE) {
        int code = extra->below->xWrite(file, bytes, size, offset);
        if (code != SQLITE_OK)
            return code;
        record(RECORDED_WRITE, extra->file, bytes, size, offset);
    }
    watch();
    return !failing ? SQLITE_OK : recording.fault == WRITE_ERROR ? SQLITE_IOERR_WRITE : SQLITE_FULL;
}

static int truncate_file(sqlite3_file *file, sqlite3_int64 size)
{
    record(RECORDED_TRUNCATE, extra_of(file)->file, NULL, 0, size);
    return extra_of(file)->below->xTruncate(file, size);
}

/* Does not wait for the disk: the tests look at what was recorded. */
static int sync_file(sqlite3_file *file, int flags)
{
    (void)flags;
    watch();
    if (fails(true))
        return SQLITE_IOERR_FSYNC;
    record(RECORDED_SYNC, extra_of(file)->file, NULL, 0, 0);
    return SQLITE_OK;
}

static int lock_memory(sqlite3_file *file, int first, int count, int flags)
{
    int code = extra_of(file)->below->xShmLock(file, first, count, flags);
    if (first == 0 && (flags & SQLITE_SHM_UNLOCK) != 0)
        watch();
    return code;
}

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *flags_out)
{
    struct extra *extra = extra_of(file);
    int code = below->xOpen(below, name, file, flags, flags_out);
    (void)vfs;
    if (code != SQLITE_OK || (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)) == 0)
        return code;
    extra->file = flags & SQLITE_OPEN_WAL ? RECORDED_LOG : RECORDED_DATABASE;
    extra->below = file->pMethods;
    extra->methods = *file->pMethods;
    extra->methods.xWrite = write_file;
    extra->methods.xTruncate = truncate_file;
    extra->methods.xSync = sync_file;
    extra->methods.xShmLock = lock_memory;
    file->pMethods = &extra->methods;
    return SQLITE_OK;
}

const char *recording_install(void)
{
    enum { ALIGNMENT = alignof(struct extra) };
    if (below == NULL) {
        below = must_have(sqlite3_vfs_find(NULL));
        extra_offset = ((size_t)below->szOsFile + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        recorder = *below;
        recorder.zName = "recording";
        recorder.szOsFile = (int)(extra_offset + sizeof(struct extra));
        recorder.xOpen = open_file;
        assert_int_equal(sqlite3_vfs_register(&recorder, 1), SQLITE_OK);
    }
    return below->zName;
}

void recording_clear(void)
{
    for (size_t i = 0; i < recording.count; i++)
        free(recording.list[i].bytes);
    free(recording.list);
    recording = (struct recording){0};
}

void recording_commit(void)
{
    record(RECORDED_COMMIT, RECORDED_DATABASE, NULL, 0, 0);
}

/* ---- images ---- */

static void resize(struct image *image, enum recorded_file file, size_t size)
{
    size_t before = image->files[file].size;
    image->files[file].bytes = must_have(realloc(image->files[file].bytes, size + 1));
    if (size > before)
        memset(image->files[file].bytes + before, 0, size - before);
    image->files[file].size = size;
}

void image_apply(struct image *image, const struct recorded *event, int size)
{
    if (event->kind == RECORDED_TRUNCATE)
        resize(image, event->file, (size_t)event->offset);
    if (event->kind != RECORDED_WRITE || size == 0)
        return;
    if ((size_t)(event->offset + size) > image->files[event->file].size)
        resize(image, event->file, (size_t)(event->offset + size));
    memcpy(image->files[event->file].bytes + event->offset, event->bytes, (size_t)size);
}

void image_copy(struct image *to, const struct image *from, enum recorded_file file)
{
    resize(to, file, from->files[file].size);
    if (from->files[file].size > 0)
        memcpy(to->files[file].bytes, from->files[file].bytes, from->files[file].size);
}

void image_clear(struct image *image)
{
    for (int file = 0; file < RECORDED_FILES; file++)
        free(image->files[file].bytes);
    *image = (struct image){0};
}

void image_read(struct image *image, const char *path)
{
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(fstat(file, &status), 0);
    resize(image, RECORDED_LOG, 0);
    resize(image, RECORDED_DATABASE, (size_t)status.st_size);
    assert_int_equal(read(file, image->files[RECORDED_DATABASE].bytes, (size_t)status.st_size),
                     status.st_size);
    close(file);
}

static void write_out(const struct image *image, enum recorded_file which, const char *path)
{
    unlink(path); /* some file systems sync a file that is truncated and written again */
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    size_t size = image->files[which].size;
    assert_int_equal(write(file, image->files[which].bytes, size), size);
    close(file);
}

void image_write(const struct image *image, const char *path)
{
    char log[160];
    snprintf(log, sizeof log, "%s-wal", path);
    write_out(image, RECORDED_DATABASE, path);
    write_out(image, RECORDED_LOG, log);
}
