/* The metrics of the process in Prometheus text format 0.0.4. */
#ifndef SCREENING_SERVICE_METRICS_TEXT_H
#define SCREENING_SERVICE_METRICS_TEXT_H

#include <stdio.h>

#include "base/status.h"

/*
 * Writes all registered metrics and histograms, each family once with its HELP and TYPE. Counters end in
 * _total. Other metrics are gauges. Returns RESOURCE_EXHAUSTED when out of memory. The caller checks ferror
 * for write errors. Any thread.
 */
MUST_CHECK enum status metrics_text_write(FILE *out);

#endif
