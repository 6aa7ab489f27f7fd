#include "writer/writer_metrics.h"

struct writer_metrics writer_metrics = {
    .commits = METRIC("writer_commits_total", "transactions committed by the writer"),
    .rollbacks = METRIC("writer_rollbacks_total", "transactions of the writer that failed"),
    .commits_unknown = METRIC("writer_commits_unknown_total", "commits whose answer was lost"),
    .commands = METRIC("writer_commands_total", "commands completed by the writer"),
    .batches = METRIC("writer_batches_total", "batches handed to the database"),
    .batch_commands = METRIC("writer_batch_commands_total", "commands in the batches handed to the database"),
    .batch_commands_max = METRIC("writer_batch_commands_max", "commands in the largest batch so far"),
    .batch_sizes = HISTOGRAM("writer_batch_size", "commands in each batch handed to the database", 1, 1),
    .queue_depth = METRIC("writer_queue_depth", "commands waiting for the writer"),
    .probes_failed =
        METRIC("writer_probes_failed_total", "looks for the database, between batches, that failed"),
    .poisoned = METRIC("writer_poisoned_total", "commands that failed in a transaction of their own"),
    .expired = METRIC("writer_expired_total", "commands whose deadline was spent while they waited"),
    .overloaded = METRIC("writer_overloaded_total", "requests refused because all places were taken"),
    .hopeless = METRIC("writer_hopeless_total",
                       "requests refused because half their time would have gone by in the queue"),
    .away = METRIC("writer_away_total", "requests refused because the database was known to be away"),
    .reads = METRIC("reader_tasks_total", "reads run by the reader threads"),
    .reads_waiting = METRIC("reader_queue_depth", "reads waiting for a reader thread"),
    .reads_expired = METRIC("reader_expired_total", "reads whose deadline was spent while they waited"),
    .reads_overloaded = METRIC("reader_overloaded_total", "reads refused because all places were taken"),
    .reads_hopeless = METRIC("reader_hopeless_total",
                             "reads refused because half their time would have gone by in the queue"),
};

void writer_metrics_register(void)
{
    metric_register(&writer_metrics.commits);
    metric_register(&writer_metrics.rollbacks);
    metric_register(&writer_metrics.commits_unknown);
    metric_register(&writer_metrics.commands);
    metric_register(&writer_metrics.batches);
    metric_register(&writer_metrics.batch_commands);
    metric_register(&writer_metrics.batch_commands_max);
    histogram_register(&writer_metrics.batch_sizes);
    metric_register(&writer_metrics.queue_depth);
    metric_register(&writer_metrics.probes_failed);
    metric_register(&writer_metrics.poisoned);
    metric_register(&writer_metrics.expired);
    metric_register(&writer_metrics.overloaded);
    metric_register(&writer_metrics.hopeless);
    metric_register(&writer_metrics.away);
    metric_register(&writer_metrics.reads);
    metric_register(&writer_metrics.reads_waiting);
    metric_register(&writer_metrics.reads_expired);
    metric_register(&writer_metrics.reads_overloaded);
    metric_register(&writer_metrics.reads_hopeless);
}
