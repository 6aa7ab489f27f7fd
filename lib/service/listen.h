/* A listening socket for HTTP. */
#ifndef SCREENING_SERVICE_LISTEN_H
#define SCREENING_SERVICE_LISTEN_H

#include "base/status.h"

/*
 * Binds "HOST:PORT" or "[HOST]:PORT", non-blocking. Returns INVALID_ARGUMENT "SETTING: ..." if it is
 * malformed or taken. The caller closes *fd.
 */
MUST_CHECK enum status listen_on(const char *setting, const char *text, int *fd, struct error *error);

#endif
