/* Opens a listening socket for HTTP. */
#ifndef SCREENING_SERVICE_LISTEN_H
#define SCREENING_SERVICE_LISTEN_H

#include "base/status.h"

/*
 * Opens a non-blocking listening socket at `text`, "HOST:PORT" or "[HOST]:PORT". Returns INVALID_ARGUMENT
 * "SETTING: ..." if the address is malformed or taken. The caller closes *fd.
 */
MUST_CHECK enum status listen_on(const char *setting, const char *text, int *fd, struct error *error);

#endif
