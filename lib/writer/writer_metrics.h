/* Process-wide metrics of the writer and the readers. */
#ifndef SCREENING_WRITER_WRITER_METRICS_H
#define SCREENING_WRITER_WRITER_METRICS_H

#include "base/metrics.h"

struct writer_metrics {
    struct metric commits;            /* transactions committed */
    struct metric rollbacks;          /* transactions that failed, for any reason */
    struct metric commits_unknown;    /* COMMITs whose result was lost */
    struct metric commands;           /* commands completed */
    struct metric batches;            /* batches run against the database */
    struct metric batch_commands;     /* commands in all batches; divide by `batches` for the mean size */
    struct metric batch_commands_max; /* commands in the largest batch */
    struct histogram batch_sizes;     /* commands in each batch */
    struct metric queue_depth;        /* commands waiting now */
    struct metric probes_failed;      /* failed probes of the database, between batches */
    struct metric poisoned;           /* commands that failed in a transaction of their own */
    struct metric expired;            /* commands whose deadline passed in the queue */
    struct metric overloaded;         /* requests refused for lack of a place */
    struct metric hopeless;           /* requests refused because of their expected wait */
    struct metric away;               /* requests refused because the database was known to be away */
    struct metric reads;              /* read tasks run */
    struct metric reads_waiting;      /* read tasks waiting now */
    struct metric reads_expired;      /* read tasks whose deadline passed in the queue */
    struct metric reads_overloaded;   /* read tasks refused for lack of a place */
    struct metric reads_hopeless;     /* read tasks refused because of their expected wait */
};

extern struct writer_metrics writer_metrics;

/* Registers all metrics of the struct. Idempotent. Any thread. */
void writer_metrics_register(void);

#endif
