#include "events/sequence.h"

#include "events/event_text.h"

static bool is_id(const char *text, const struct uuid *id)
{
    struct uuid parsed;
    return event_id_parse(text, &parsed) && uuid_equal(&parsed, id);
}

bool sequence_is_gapless(Screening__V1__Event *const *events, size_t count, uint64_t first_seq)
{
    for (size_t i = 0; i < count; i++) {
        struct uuid event_id;
        if (events[i]->seq != first_seq + i || !uuid_parse(events[i]->event_id, &event_id))
            return false;
    }
    return true;
}

static enum batch_place place_heartbeat(const struct event_cursor *end,
                                        const Screening__V1__EventBatch *batch)
{
    if (batch->head_seq > end->seq)
        return BATCH_LATER;
    /*
     * A heartbeat at our own seq carries the id of the last event, which must be the id of the last event
     * received.
     */
    if (batch->head_seq == end->seq && !is_id(batch->prev_event_id, &end->event_id))
        return BATCH_DOUBT;
    return BATCH_OLD;
}

enum batch_place sequence_place(const struct event_cursor *end, const Screening__V1__EventBatch *batch,
                                size_t *skip)
{
    if (uuid_is_zero(&end->log_id) || !is_id(batch->log_id, &end->log_id))
        return BATCH_DOUBT;
    if (batch->n_events == 0)
        return place_heartbeat(end, batch);
    uint64_t first = batch->events[0]->seq;
    if (first == 0 || !sequence_is_gapless(batch->events, batch->n_events, first))
        return BATCH_DOUBT;
    if (first > end->seq + 1)
        return BATCH_LATER;
    uint64_t taken = end->seq + 1 - first;
    if (taken >= batch->n_events)
        return BATCH_OLD;
    const char *before = taken > 0 ? batch->events[taken - 1]->event_id : batch->prev_event_id;
    if (!is_id(before, &end->event_id))
        return BATCH_DOUBT;
    *skip = (size_t)taken;
    return BATCH_NEXT;
}
