#include "nng/connection_notes.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"

enum { LOG_EVERY_S = 60 };

static struct metric connections =
    METRIC("rpc_connections", "connections accepted and not ended, of calls and of events");
static struct metric totals[CONNECTION_NOTES] = {
    METRIC("rpc_connections_refused_total", "connections refused because there was no room"),
    METRIC("rpc_connections_silent_ended_total", "silent connections ended to make room for others"),
    METRIC("rpc_connections_unfinished_ended_total",
           "connections ended because a message took too long to arrive, or too many were arriving"),
    METRIC("rpc_connections_without_file_total", "attempts to accept that failed for want of a descriptor"),
};

/* The counts since the last log line. */
static struct {
    pthread_mutex_t lock;
    int64_t counts[CONNECTION_NOTES];
    struct connection_address address; /* address of the last counted connection that had one */
    int64_t next_ns;
} notes = {.lock = PTHREAD_MUTEX_INITIALIZER};

void connection_notes_register(void)
{
    metric_register(&connections);
    for (int i = 0; i < CONNECTION_NOTES; i++)
        metric_register(&totals[i]);
}

void connection_notes_count(int64_t change)
{
    metric_add(&connections, change);
}

void connection_note(enum connection_note note, const struct connection_address *address)
{
    metric_add(&totals[note], 1);
    pthread_mutex_lock(&notes.lock);
    notes.counts[note]++;
    if (address != NULL)
        notes.address = *address;
    pthread_mutex_unlock(&notes.lock);
}

void connection_notes_log(void)
{
    int64_t counts[CONNECTION_NOTES], sum = 0, now_ns = clock_monotonic_ns();
    pthread_mutex_lock(&notes.lock);
    struct connection_address address = notes.address;
    for (int i = 0; i < CONNECTION_NOTES && now_ns >= notes.next_ns; i++) {
        sum += counts[i] = notes.counts[i];
        notes.counts[i] = 0;
    }
    if (sum > 0)
        notes.next_ns = now_ns + (int64_t)LOG_EVERY_S * NS_PER_S;
    pthread_mutex_unlock(&notes.lock);
    if (sum == 0)
        return;
    char text[CONNECTION_ADDRESS_TEXT_SIZE];
    log_event(LOG_WARN, "rpc.connections_bounded", LOG_INT("refused", counts[CONNECTION_REFUSED]),
              LOG_INT("silent", counts[CONNECTION_SILENT]),
              LOG_INT("unfinished", counts[CONNECTION_UNFINISHED]),
              LOG_INT("without_file", counts[CONNECTION_NO_FILE]),
              LOG_TEXT("last_address", connection_address_text(&address, text)));
}
