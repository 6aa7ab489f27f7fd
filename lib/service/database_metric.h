/* Updates the metric database_size_bytes, the size of the service's database. */
#ifndef SCREENING_SERVICE_DATABASE_METRIC_H
#define SCREENING_SERVICE_DATABASE_METRIC_H

#include "writer/reader.h"

/*
 * Queries the database on one of the pool's threads. Does not wait; the next /metrics shows the result. Does
 * nothing if the pool refuses the read. Call this before the pool is closed, on one thread at a time.
 */
void database_metric_refresh(struct reader_pool *readers);

#endif
