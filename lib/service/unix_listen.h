/* A listening unix socket for HTTP. */
#ifndef SCREENING_SERVICE_UNIX_LISTEN_H
#define SCREENING_SERVICE_UNIX_LISTEN_H

#include <stddef.h>
#include <string.h>

#include "base/status.h"

/* Returns PATH of an address unix:PATH, or NULL if the address has another form. */
static inline const char *unix_listen_path(const char *address)
{
    static const char prefix[] = "unix:";
    return strncmp(address, prefix, strlen(prefix)) == 0 ? address + strlen(prefix) : NULL;
}

/*
 * Binds a unix socket at `path`, non-blocking, with mode 0660. Replaces a socket on which no process listens.
 * Returns INVALID_ARGUMENT "SETTING: ..." on failure. The caller closes *fd, and unlinks the path first.
 */
MUST_CHECK enum status unix_listen_on(const char *setting, const char *path, int *fd, struct error *error);

#endif
