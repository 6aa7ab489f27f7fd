/* Addresses that only this machine's own programs reach. Any thread. */
#ifndef SCREENING_SERVICE_PRIVATE_ADDRESS_H
#define SCREENING_SERVICE_PRIVATE_ADDRESS_H

#include "base/status.h"

/*
 * OK for tcp:// at a loopback address (127.0.0.0/8 or [::1], as numbers: a name may come to mean another
 * machine), and for ipc:// in a folder that belongs to this process's user and that nobody else may enter
 * (mode 0700, or less). INVALID_ARGUMENT with the rule alone as the message otherwise. `address` is
 * well-formed.
 */
MUST_CHECK enum status private_address_check(const char *address, struct error *error);

#endif
