/* A listening unix socket for HTTP. */
#ifndef SCREENING_GATEWAY_SVC_UNIX_LISTEN_H
#define SCREENING_GATEWAY_SVC_UNIX_LISTEN_H

#include "base/status.h"

/*
 * Binds a unix socket at `path`, non-blocking, with mode 0660. Replaces a socket on which no process listens.
 * Returns INVALID_ARGUMENT "SETTING: ..." on failure. The caller closes *fd, and unlinks the path first.
 */
MUST_CHECK enum status unix_listen_on(const char *setting, const char *path, int *fd, struct error *error);

#endif
