/*
 * Metrics of answers over HTTP: their numbers, by route, method and code, and their durations, by route and
 * method.
 */
#ifndef SCREENING_GATEWAY_SVC_HTTP_METRICS_H
#define SCREENING_GATEWAY_SVC_HTTP_METRICS_H

#include <stdint.h>

/*
 * Counts an answer. `route` is one of our patterns, such as "/bookings/{bookingId}", or NULL for an unknown
 * path. An unknown `method` is counted as "other". A `took_ns` below 0 marks a stream, whose duration depends
 * on its listener. Any thread.
 */
void http_metrics_count(const char *route, const char *method, unsigned code, int64_t took_ns);

#endif
