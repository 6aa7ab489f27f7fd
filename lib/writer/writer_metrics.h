/* What the writer and the readers count, for the whole process. */
#ifndef SCREENING_WRITER_WRITER_METRICS_H
#define SCREENING_WRITER_WRITER_METRICS_H

#include "base/metrics.h"

struct writer_metrics {
    struct metric commits;            /* transactions committed */
    struct metric rollbacks;          /* transactions that failed, whatever the reason */
    struct metric commits_unknown;    /* COMMITs whose answer was lost */
    struct metric commands;           /* commands completed */
    struct metric batches;            /* batches handed to the database */
    struct metric batch_commands;     /* commands in these batches: divided by batches, the mean size */
    struct metric batch_commands_max; /* the largest batch */
    struct histogram batch_sizes;     /* commands in each batch */
    struct metric queue_depth;        /* commands that wait now */
    struct metric probes_failed;      /* looks for the database, between batches */
    struct metric poisoned;           /* commands that failed alone */
    struct metric expired;            /* commands whose deadline was spent in the queue */
    struct metric overloaded;         /* requests refused by the bound, */
    struct metric hopeless;           /* or for the wait that they would have had */
    struct metric reads;              /* read tasks run */
    struct metric reads_waiting;      /* read tasks that wait now */
    struct metric reads_expired;      /* read tasks whose deadline was spent in the queue */
    struct metric reads_overloaded;   /* read tasks refused by the bound, */
    struct metric reads_hopeless;     /* or for the wait that they would have had */
};

extern struct writer_metrics writer_metrics;

/* Makes all of them visible; again: nothing. Any thread. */
void writer_metrics_register(void);

#endif
