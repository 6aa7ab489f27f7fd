/* Applies the settings that limit connections (nng/connections.h). */
#ifndef SCREENING_SERVICE_CONNECTION_LIMITS_H
#define SCREENING_SERVICE_CONNECTION_LIMITS_H

#include "base/status.h"
#include "service/config.h"

/*
 * Limits the connections of this process as configured, and reserves descriptors for the other files that it
 * opens. If RLIMIT_NOFILE is too low for --connections-max, applies and logs a lower limit. Call this after
 * service_begin and before opening the first listener. The limits hold until the process ends. Returns
 * RESOURCE_EXHAUSTED if there is no memory or no thread can be started.
 */
MUST_CHECK enum status service_limit_connections(const struct service_settings *settings,
                                                 struct error *error);

/* Returns the number of descriptors that `wanted` connections may use if the process may open
 * `open_files_max` files. Pure. */
size_t service_files_for_connections(size_t wanted, size_t open_files_max);

#endif
