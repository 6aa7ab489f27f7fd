#include "service/private_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLDER_SIZE = 256, HOST_SIZE = INET6_ADDRSTRLEN, LOOPBACK_NET = 127, NET_SHIFT = 24 };

static const char RULE[] = "must be ipc:// in a folder of mode 0700, or tcp:// at 127.0.0.1 or [::1]";

/* Returns the part after the scheme, or NULL if the address has another scheme. */
static const char *after_scheme(const char *address, const char *scheme)
{
    size_t length = strlen(scheme);
    return strncmp(address, scheme, length) == 0 ? address + length : NULL;
}

/* Returns whether `where`, "HOST:PORT" or "[HOST]:PORT", is a loopback address. */
static bool is_loopback(const char *where)
{
    char host[HOST_SIZE];
    struct in_addr v4;
    struct in6_addr v6;
    const char *colon = strrchr(where, ':');
    size_t length = colon != NULL ? (size_t)(colon - where) : 0;
    bool bracketed = length >= 2 && where[0] == '[' && where[length - 1] == ']';
    if (bracketed) {
        where++;
        length -= 2;
    }
    if (length == 0 || snprintf(host, sizeof host, "%.*s", (int)length, where) >= (int)sizeof host)
        return false;
    if (bracketed)
        return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
    return inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> NET_SHIFT == LOOPBACK_NET;
}

/* Writes the folder of the file `path` to `folder`. Returns false if the name is too long. */
static bool folder_of(const char *path, char folder[FOLDER_SIZE])
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return snprintf(folder, FOLDER_SIZE, ".") < FOLDER_SIZE;
    size_t length = slash == path ? 1 : (size_t)(slash - path);
    return snprintf(folder, FOLDER_SIZE, "%.*s", (int)length, path) < FOLDER_SIZE;
}

static enum status check_folder(const char *path, struct error *error)
{
    char folder[FOLDER_SIZE];
    struct stat found;
    if (!folder_of(path, folder))
        return error_invalid(error, "the path is too long");
    if (stat(folder, &found) != 0)
        return error_invalid(error, "%s: %s", folder, strerror(errno));
    if (!S_ISDIR(found.st_mode) || (found.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return error_invalid(error, "%s: %s", folder, RULE);
    if (found.st_uid != geteuid())
        return error_invalid(error, "%s: must belong to the user of this process", folder);
    return STATUS_OK;
}

enum status private_address_check(const char *address, struct error *error)
{
    const char *where = after_scheme(address, "tcp://");
    if (where != NULL && is_loopback(where))
        return STATUS_OK;
    const char *path = after_scheme(address, "ipc://");
    if (path != NULL)
        return check_folder(path, error);
    return error_invalid(error, "%s", RULE);
}
