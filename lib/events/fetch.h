/*
 * Serves one call of EventLogService.Fetch: checks the request, reads the log and replies. Events are sent as
 * stored, without being unpacked. fetch_read and fetch_reply run on the fetch thread.
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
    struct uuid after_event_id; /* used only if check_event_id */
    bool check_event_id;
    uint32_t max_events;
    int64_t wait_until_ns;      /* when to stop waiting for events (monotonic) */
    struct event_position seen; /* the state of the log at the last read */
};

/* The events of a reply. The fetch thread reuses one page for all replies. */
struct fetch_page {
    size_t max_bytes;
    uint64_t head_seq;   /* the head in the snapshot; events after it are left out */
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
 * Validates a request and creates its fetch. Returns INVALID_ARGUMENT for an invalid field, or
 * RESOURCE_EXHAUSTED when out of memory. Any thread.
 */
MUST_CHECK enum status fetch_accept(struct rpc_call *call, const Screening__V1__FetchRequest *request,
                                    struct fetch **out, struct error *error);

/*
 * Reads the events after after_seq into `page` and sets fetch->seen. Fails with DATA_LOSS `LOG_DIVERGED` if
 * the log does not contain the event at after_seq, or with the status of a database error.
 */
MUST_CHECK enum status fetch_read(struct fetch *fetch, struct db *db, struct fetch_page *page,
                                  struct error *error);

/* Replies with `page`, or without events if `page` is NULL. The fetch is invalid afterwards. */
void fetch_reply(struct fetch *fetch, struct fetch_page *page);

#endif
