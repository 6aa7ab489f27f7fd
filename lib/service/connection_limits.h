/* The settings that bound connections, put into effect (rpc/connections.h). */
#ifndef SCREENING_SERVICE_CONNECTION_LIMITS_H
#define SCREENING_SERVICE_CONNECTION_LIMITS_H

#include "base/status.h"
#include "service/config.h"

/*
 * Bounds the connections of this process as the settings say, and so that the other files it opens always
 * have descriptors: where RLIMIT_NOFILE is too low for --connections-max, a lower bound holds, and is logged.
 * After service_begin, before the first listener; until the process ends. RESOURCE_EXHAUSTED when out of
 * memory or threads.
 */
MUST_CHECK enum status service_limit_connections(const struct service_settings *settings,
                                                 struct error *error);

/* How many descriptors so many connections may take where so many files may be open. Pure. */
size_t service_files_for_connections(size_t wanted, size_t open_files_max);

#endif
