/* How far another service's log has been followed, as metrics labelled with the log's name. */
#ifndef SCREENING_SERVICE_LOG_METRICS_H
#define SCREENING_SERVICE_LOG_METRICS_H

#include "events/subscriber.h"

enum followed_log { FOLLOWED_BOOKING, FOLLOWED_HOSPITAL, FOLLOWED_COUNT };

/* Asks the subscriber and sets the metrics; the first time it makes them visible. One thread at a time. */
void log_metrics_refresh(enum followed_log log, struct event_subscriber *subscriber);

#endif
