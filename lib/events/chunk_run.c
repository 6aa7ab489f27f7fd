#include "events/chunk_run.h"

#include "base/clock.h"

/* How long a chunk without effects may wait to join another batch. */
enum { PATIENCE_MS = 20 };

struct chunk_in_work {
    struct event_chunk chunk; /* first: the writer and the service see only this member */
    struct monitor *monitor;
    bool done;
};

static void completed(struct writer_command *command)
{
    struct chunk_in_work *work = (struct chunk_in_work *)command;
    struct monitor *monitor = work->monitor;
    monitor_lock(monitor);
    work->done = true;
    monitor_notify(monitor);
    monitor_unlock(monitor);
}

/* Waits for a batch of other commands to include the chunk, then stops being patient. */
static void run_patiently(struct writer *writer, struct chunk_in_work *work)
{
    int64_t until_ns = clock_monotonic_ns() + PATIENCE_MS * (int64_t)NS_PER_MS;
    writer_submit_patient(writer, &work->chunk.command);
    monitor_lock(work->monitor);
    while (!work->done && clock_monotonic_ns() < until_ns)
        monitor_wait(work->monitor, until_ns);
    bool hurry = !work->done;
    monitor_unlock(work->monitor);
    if (hurry)
        writer_hurry(writer);
}

enum status chunk_run(struct writer *writer, struct monitor *monitor, const struct event_chunk *chunk,
                      bool patient, struct error *error)
{
    struct chunk_in_work work = {.chunk = *chunk, .monitor = monitor};
    work.chunk.command = (struct writer_command){.class = WRITER_EVENT, .complete = completed};
    if (patient)
        run_patiently(writer, &work);
    else
        writer_submit(writer, &work.chunk.command);
    monitor_lock(monitor);
    while (!work.done)
        monitor_wait(monitor, INT64_MAX);
    monitor_unlock(monitor);
    *error = work.chunk.command.outcome;
    return error->status;
}
