/* The progress of following another service's log, as metrics labelled with the log's name. */
#ifndef SCREENING_SERVICE_LOG_METRICS_H
#define SCREENING_SERVICE_LOG_METRICS_H

#include "events/follower.h"

enum followed_log { FOLLOWED_BOOKING, FOLLOWED_HOSPITAL, FOLLOWED_COUNT };

/* Sets the metrics from the follower's status; the first call registers them. One thread at a time. */
void log_metrics_refresh(enum followed_log log, struct event_follower *follower);

#endif
