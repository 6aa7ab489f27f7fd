/* Counts answers over HTTP, by route, method and code, and measures their durations, by route and method. */
#ifndef SCREENING_GATEWAY_SVC_HTTP_METRICS_H
#define SCREENING_GATEWAY_SVC_HTTP_METRICS_H

#include <stdint.h>

/*
 * Counts an answer. `route` is one of our patterns, such as "/bookings/{bookingId}", or NULL for an unknown
 * path. An unknown `method` is counted as "other". A `took_ns` below 0 means a stream, whose duration depends
 * on the listener. Any thread.
 */
void http_metrics_count(const char *route, const char *method, unsigned code, int64_t took_ns);

#endif
