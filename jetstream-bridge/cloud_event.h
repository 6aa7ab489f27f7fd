/*
 * Events as CloudEvents 1.0 in binary mode: the attributes are headers, and the body is the packed event.
 * Pure; any thread.
 */
#ifndef SCREENING_JETSTREAM_BRIDGE_CLOUD_EVENT_H
#define SCREENING_JETSTREAM_BRIDGE_CLOUD_EVENT_H

#include <nats/nats.h>

#include "base/status.h"
#include "base/uuid.h"
#include "events/cursor.h"

#include "screening/v1/event.pb-c.h"

/*
 * Creates the message of an event of the log `log`, whose id is `log_id`. Its subject is screening.LOG.TYPE.
 * The stream accepts it only after the message at sequence seq - 1. Returns INTERNAL if the event's type
 * cannot be part of a subject, or RESOURCE_EXHAUSTED. The caller destroys *out.
 */
MUST_CHECK enum status cloud_event_make(const char *log, const struct uuid *log_id,
                                        const Screening__V1__Event *event, natsMsg **out,
                                        struct error *error);

/*
 * Reads the event of `message`, which a stream has at `sequence`. Returns INVALID_ARGUMENT, without a
 * message, if cloud_event_make did not make it for this log and sequence.
 */
MUST_CHECK enum status cloud_event_read(natsMsg *message, const char *log, uint64_t sequence,
                                        struct event_cursor *out);

#endif
