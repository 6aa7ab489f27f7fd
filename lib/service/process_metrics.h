/* What the kernel says of the process, and what it was built from, as metrics. */
#ifndef SCREENING_SERVICE_PROCESS_METRICS_H
#define SCREENING_SERVICE_PROCESS_METRICS_H

/* Asks the kernel and sets the metrics; the first time it makes them visible. One thread at a time. */
void process_metrics_refresh(void);

#endif
