#include "base/secret_file.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* The extended attribute in which Linux shows the access control list of a file. */
#define ACL_ATTRIBUTE "system.posix_acl_access"
enum { ACL_VERSION = 2, ACL_ENTRIES_MAX = 16, ACL_OF_OWNER = 0x01, ACL_OF_USER = 0x02, ACL_MASK = 0x10 };

struct acl_entry {
    uint16_t tag;
    uint16_t rights;
    uint32_t id;
};

struct acl {
    uint32_t version;
    struct acl_entry entries[ACL_ENTRIES_MAX];
};

/*
 * Returns whether the file has an access control list that gives rights to nobody but its owner and this
 * user. With such a list, the group's bits of the mode show the list's mask and not the group's rights.
 */
static bool list_names_only_us(int file)
{
    struct acl acl;
    ssize_t size = fgetxattr(file, ACL_ATTRIBUTE, &acl, sizeof acl);
    if (size < (ssize_t)sizeof acl.version || le32toh(acl.version) != ACL_VERSION)
        return false;
    size_t count = ((size_t)size - sizeof acl.version) / sizeof acl.entries[0];
    for (size_t i = 0; i < count; i++) {
        const struct acl_entry *entry = &acl.entries[i];
        unsigned tag = le16toh(entry->tag);
        bool ours = tag == ACL_OF_OWNER || tag == ACL_MASK ||
                    (tag == ACL_OF_USER && le32toh(entry->id) == (uint32_t)geteuid());
        if (!ours && le16toh(entry->rights) != 0)
            return false;
    }
    return true;
}

static enum status check_attributes(int file, const char *setting, const char *path, size_t max_bytes,
                                    struct error *error)
{
    struct stat found;
    if (fstat(file, &found) != 0)
        return error_invalid(error, "%s: %s: %s", setting, path, strerror(errno));
    if (!S_ISREG(found.st_mode))
        return error_invalid(error, "%s: %s: must be a regular file", setting, path);
    if (found.st_uid != geteuid() && found.st_uid != 0)
        return error_invalid(error, "%s: %s: must belong to user %u or to root, not to user %u", setting,
                             path, (unsigned)geteuid(), (unsigned)found.st_uid);
    if ((found.st_mode & (S_IRWXG | S_IRWXO)) != 0 && !list_names_only_us(file))
        return error_invalid(error, "%s: %s: its mode is %04o: only its owner may read it (chmod 600)",
                             setting, path, (unsigned)found.st_mode & 07777U);
    if (found.st_size > (off_t)max_bytes)
        return error_invalid(error, "%s: %s: must have at most %zu bytes", setting, path, max_bytes);
    return STATUS_OK;
}

/* Reads up to the end of the file or until the memory is full, because the file may grow meanwhile. */
static enum status read_whole(int file, const char *setting, const char *path, struct secret_file *into,
                              struct error *error)
{
    while (into->size < into->capacity) {
        ssize_t got = read(file, into->bytes + into->size, into->capacity - into->size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_invalid(error, "%s: %s: %s", setting, path, strerror(errno));
        if (got == 0)
            break;
        into->size += (size_t)got;
    }
    if (into->size == into->capacity)
        return error_invalid(error, "%s: %s: must have at most %zu bytes", setting, path, into->capacity - 1);
    if (into->size == 0)
        return error_invalid(error, "%s: %s: is empty", setting, path);
    into->bytes[into->size] = '\0';
    return STATUS_OK;
}

static enum status check_and_read(int file, const char *setting, const char *path, size_t max_bytes,
                                  struct secret_file *out, struct error *error)
{
    TRY(check_attributes(file, setting, path, max_bytes, error));
    struct secret_file next = {.bytes = malloc(max_bytes + 1), .capacity = max_bytes + 1};
    if (next.bytes == NULL)
        return error_no_memory(error);
    enum status status = read_whole(file, setting, path, &next, error);
    if (status == STATUS_OK)
        *out = next;
    else
        secret_file_close(&next);
    return status;
}

enum status secret_file_open(const char *setting, const char *path, size_t max_bytes, struct secret_file *out,
                             struct error *error)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0)
        return error_invalid(error, "%s: %s: %s", setting, path, strerror(errno));
    enum status status = check_and_read(file, setting, path, max_bytes, out, error);
    (void)close(file); /* an error does not matter after reading */
    return status;
}

void secret_file_close(struct secret_file *file)
{
    if (file->bytes != NULL)
        explicit_bzero(file->bytes, file->capacity);
    free(file->bytes);
    *file = (struct secret_file){0};
}
