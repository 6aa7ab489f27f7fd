/*
 * One EventLogService.Fetch: checked, read from the log, answered. The events are answered as they are
 * stored, not unpacked. On the fetch thread, except fetch_accept.
 */
#ifndef SCREENING_EVENTS_FETCH_H
#define SCREENING_EVENTS_FETCH_H

#include "buffer.h"
#include "event_store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fair_queue.h"
#include "base/status.h"
#include "base/uuid.h"
#include "db/db.h"
#include "rpc/server.h"

#include "screening/v1/event.pb-c.h"

/* Lives in the call's arena, until the call is answered. */
struct fetch {
    struct fair_item item; /* first member; `next` is the queue's own */
    struct rpc_call *call;
    const char *subscriber; /* who asks */
    uint64_t after_seq;
    struct uuid after_event_id; /* zero = not checked */
    bool check_event_id;
    uint32_t max_events;
    int64_t wait_until_ns;      /* monotonic; in the past = does not wait */
    struct event_position seen; /* when it was last read */
};

/* What one answer carries; reused from answer to answer. */
struct fetch_page {
    size_t max_bytes;
    uint64_t head_seq;   /* events beyond are left out: they are not of this snapshot */
    struct buffer bytes; /* each event behind its length */
    ProtobufCMessageUnknownField *events;
    size_t count;
    size_t capacity;
    bool full;
    bool out_of_memory;
};

void fetch_page_init(struct fetch_page *page, size_t max_bytes);
void fetch_page_fini(struct fetch_page *page);

/*
 * Turns a request into a fetch. INVALID_ARGUMENT "max_events: ..." and the like; RESOURCE_EXHAUSTED when out
 * of memory. Any thread.
 */
MUST_CHECK enum status fetch_accept(struct rpc_call *call, const Screening__V1__FetchRequest *request,
                                    struct fetch **out, struct error *error);

/* Reads what follows into `page` and sets fetch->seen. DATA_LOSS `LOG_DIVERGED`, or what the database says.
 */
MUST_CHECK enum status fetch_read(struct fetch *fetch, struct db *db, struct fetch_page *page,
                                  struct error *error);

/* Answers with `page`, or without events if it is NULL. The fetch is gone afterwards. */
void fetch_reply(struct fetch *fetch, struct fetch_page *page);

#endif
