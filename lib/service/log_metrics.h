/* Metrics that show how far this service has followed another service's log, labelled with the log's name. */
#ifndef SCREENING_SERVICE_LOG_METRICS_H
#define SCREENING_SERVICE_LOG_METRICS_H

#include <stddef.h>

#include "events/follower.h"

enum { LOG_METRICS_MAX = 2 };

/*
 * Sets the metrics of log number `log` (below LOG_METRICS_MAX) from the follower's status. The first call for
 * a log registers them with `label`, such as "log=\"orders\"", which must live as long as the process. One
 * thread at a time.
 */
void log_metrics_refresh(size_t log, const char *label, struct event_follower *follower);

#endif
