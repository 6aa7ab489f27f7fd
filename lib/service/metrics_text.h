/* Writes the metrics of the process in Prometheus text format 0.0.4. */
#ifndef SCREENING_SERVICE_METRICS_TEXT_H
#define SCREENING_SERVICE_METRICS_TEXT_H

#include <stdio.h>

#include "base/status.h"

/*
 * Writes all registered metrics and histograms, each family once with its HELP and TYPE. A metric whose name
 * ends in _total is a counter; any other metric is a gauge. Returns RESOURCE_EXHAUSTED when out of memory.
 * The caller must check ferror for write errors. Any thread.
 */
MUST_CHECK enum status metrics_text_write(FILE *out);

#endif
