/*
 * Serves one EventLogService.Fetch: checks the request, reads the log and replies. Events are sent as stored,
 * without unpacking them. All functions run on the fetch thread, except fetch_accept.
 */
#ifndef SCREENING_EVENTS_FETCH_H
#define SCREENING_EVENTS_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fair_queue.h"
#include "base/status.h"
#include "base/uuid.h"
#include "db/db.h"
#include "events/buffer.h"
#include "events/event_store.h"
#include "rpc/server.h"

#include "screening/v1/event.pb-c.h"

/* A fetch lives in the call's arena until the call is answered. */
struct fetch {
    struct fair_item item;
    struct rpc_call *call;
    const char *subscriber; /* the name of the subscriber */
    uint64_t after_seq;
    struct uuid after_event_id; /* zero = not checked */
    bool check_event_id;
    uint32_t max_events;
    int64_t wait_until_ns;      /* until when to wait for events (monotonic); in the past = do not wait */
    struct event_position seen; /* the log at the last read */
};

/* The contents of one reply; reused for every reply. */
struct fetch_page {
    size_t max_bytes;
    uint64_t head_seq;   /* later events are left out because they are not in this snapshot */
    struct buffer bytes; /* each event preceded by its length */
    ProtobufCMessageUnknownField *events;
    size_t count;
    size_t capacity;
    bool full;
    bool out_of_memory;
};

void fetch_page_init(struct fetch_page *page, size_t max_bytes);
void fetch_page_fini(struct fetch_page *page);

/*
 * Validates a request and creates its fetch. Returns INVALID_ARGUMENT "max_events: ..." and the like, and
 * RESOURCE_EXHAUSTED when out of memory. Any thread.
 */
MUST_CHECK enum status fetch_accept(struct rpc_call *call, const Screening__V1__FetchRequest *request,
                                    struct fetch **out, struct error *error);

/*
 * Reads the events after after_seq into `page` and sets fetch->seen. Fails with DATA_LOSS `LOG_DIVERGED`, or
 * with the status of the database.
 */
MUST_CHECK enum status fetch_read(struct fetch *fetch, struct db *db, struct fetch_page *page,
                                  struct error *error);

/* Replies with `page`, or without events if it is NULL. The fetch is invalid afterwards. */
void fetch_reply(struct fetch *fetch, struct fetch_page *page);

#endif
