/* How much memory the process uses, as a metric. */
#ifndef SCREENING_SERVICE_MEMORY_METRIC_H
#define SCREENING_SERVICE_MEMORY_METRIC_H

/* Asks the kernel and sets the metric; the first time it makes it visible. Any thread. */
void memory_metric_refresh(void);

#endif
