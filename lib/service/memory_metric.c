#include "service/memory_metric.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/metrics.h"

/* Named as Prometheus' own libraries name it. */
static struct metric resident =
    METRIC("process_resident_memory_bytes", "Memory of the process that is in RAM");

void memory_metric_refresh(void)
{
    enum { LINE = 128, DECIMAL = 10 };
    char line[LINE];
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return;
    if (fgets(line, sizeof line, file) != NULL) {
        char *second = NULL; /* the size, then what of it is resident, in pages */
        (void)strtoll(line, &second, DECIMAL);
        metric_register(&resident);
        metric_set(&resident, strtoll(second, NULL, DECIMAL) * sysconf(_SC_PAGESIZE));
    }
    (void)fclose(file);
}
