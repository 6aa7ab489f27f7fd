/*
 * Force-cancels the bookings of deleted hospitals, chunk by chunk through the writer: 100,000 of them neither
 * hold up others nor are lost in a crash.
 */
#ifndef BOOKING_SVC_DELETION_JOB_H
#define BOOKING_SVC_DELETION_JOB_H

#include "base/status.h"
#include "writer/writer.h"

struct deletion_job;

/* Starts a thread that looks for unfinished deletions at once, when woken, and every second. */
MUST_CHECK enum status deletion_job_open(const char *database_url, struct writer *writer,
                                         struct deletion_job **out, struct error *error);

/* Ends the thread after the chunk at hand; the rest is done after the next start. Before writer_close. */
void deletion_job_stop(struct deletion_job *job);

/* After deletion_job_stop and writer_close: a batch that recorded a deletion still wakes the job. */
void deletion_job_destroy(struct deletion_job *job);

/* A deletion was just recorded. Any thread. */
void deletion_job_wake(struct deletion_job *job);

#endif
