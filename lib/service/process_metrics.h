/* Kernel statistics of the process, and its build version, as metrics. */
#ifndef SCREENING_SERVICE_PROCESS_METRICS_H
#define SCREENING_SERVICE_PROCESS_METRICS_H

/* Sets the metrics from the kernel's values; the first call registers them. One thread at a time. */
void process_metrics_refresh(void);

#endif
