/* How large the service's database is, as the metric database_size_bytes. */
#ifndef SCREENING_SERVICE_DATABASE_METRIC_H
#define SCREENING_SERVICE_DATABASE_METRIC_H

#include "writer/reader.h"

/*
 * Asks the database, on one of the pool's threads; the answer is seen by the next /metrics. Does not wait,
 * and gives way to people's reads. Before the pool is closed; one thread at a time.
 */
void database_metric_refresh(struct reader_pool *readers);

#endif
