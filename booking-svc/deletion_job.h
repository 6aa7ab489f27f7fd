/*
 * Force-cancels the bookings of deleted hospitals in chunks, through the writer, so that even 100,000
 * bookings do not delay other commands for long. After a crash the next start continues the job.
 */
#ifndef SCREENING_BOOKING_SVC_DELETION_JOB_H
#define SCREENING_BOOKING_SVC_DELETION_JOB_H

#include "base/status.h"
#include "writer/writer.h"

struct deletion_job;

/*
 * Starts a thread that looks for unfinished deletions immediately, then every second and whenever woken.
 * `writer` must outlive the thread.
 */
MUST_CHECK enum status deletion_job_open(const char *database_url, struct writer *writer,
                                         struct deletion_job **out, struct error *error);

/* Stops the thread after the current chunk. Call deletion_job_stop before writer_close. */
void deletion_job_stop(struct deletion_job *job);

/*
 * Frees the job. Call deletion_job_destroy after deletion_job_stop and writer_close, because until then a
 * batch that records a deletion wakes the job.
 */
void deletion_job_destroy(struct deletion_job *job);

/* Wakes the thread after a deletion has been recorded. Any thread. */
void deletion_job_wake(struct deletion_job *job);

#endif
