/* Metrics of the process: the kernel's statistics, and the build version. */
#ifndef SCREENING_SERVICE_PROCESS_METRICS_H
#define SCREENING_SERVICE_PROCESS_METRICS_H

/* Updates the metrics from the kernel's values. The first call registers them. One thread at a time. */
void process_metrics_refresh(void);

#endif
