/* Checks that only programs on this machine can reach an address. Any thread. */
#ifndef SCREENING_SERVICE_PRIVATE_ADDRESS_H
#define SCREENING_SERVICE_PRIVATE_ADDRESS_H

#include "base/status.h"

/*
 * Returns OK for tcp:// at a loopback address (127.0.0.0/8 or [::1]), and for ipc:// in a folder that belongs
 * to this process's user and that no other user may enter (mode 0700 or stricter). Otherwise returns
 * INVALID_ARGUMENT with only the rule as the message. Host names are refused, because they may later resolve
 * to another machine. `address` must be well-formed.
 */
MUST_CHECK enum status private_address_check(const char *address, struct error *error);

#endif
