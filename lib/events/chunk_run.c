#include "chunk_run.h"

struct chunk_in_work {
    struct event_chunk chunk; /* first: the writer and the service see only this */
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

enum status chunk_run(struct writer *writer, struct monitor *monitor, const struct event_chunk *chunk,
                      struct error *error)
{
    struct chunk_in_work work = {.chunk = *chunk, .monitor = monitor};
    work.chunk.command = (struct writer_command){.class = WRITER_EVENT, .complete = completed};
    writer_submit(writer, &work.chunk.command);
    monitor_lock(monitor);
    while (!work.done)
        monitor_wait(monitor, INT64_MAX);
    monitor_unlock(monitor);
    *error = work.chunk.command.outcome;
    return error->status;
}
