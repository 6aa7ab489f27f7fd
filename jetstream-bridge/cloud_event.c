#include "cloud_event.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/instant.h"
#include "base/traceparent.h"

enum { SUBJECT_SIZE = 96, SOURCE_SIZE = 96, NUMBER_SIZE = 24 };

#define SOURCE "/screening/%s/%s" /* log, log_id */

/* Returns whether `type` consists of tokens of a subject. */
static bool is_subject(const char *type)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    for (const char *token = type;; token++) {
        size_t length = strspn(token, letters);
        token += length;
        if (length == 0 || *token != '.')
            return length > 0 && *token == '\0';
    }
}

/* Returns the id of what the event is about, or NULL if this program does not know its kind. */
static const char *subject_of(const Screening__V1__Event *event)
{
    switch (event->body_case) {
    case SCREENING__V1__EVENT__BODY_BOOKING:
        return event->booking->booking_id;
    case SCREENING__V1__EVENT__BODY_HOSPITAL:
        return event->hospital->hospital_id;
    case SCREENING__V1__EVENT__BODY_DAY:
        return event->day->hospital_id;
    case SCREENING__V1__EVENT__BODY__NOT_SET:
    default:
        return NULL;
    }
}

struct header {
    const char *name;
    const char *value; /* NULL = left out */
};

static bool set_headers(natsMsg *message, const struct header *headers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (headers[i].value != NULL &&
            natsMsgHeader_Set(message, headers[i].name, headers[i].value) != NATS_OK)
            return false;
    return true;
}

static bool fill_headers(natsMsg *message, const char *log, const struct uuid *log_id,
                         const Screening__V1__Event *event)
{
    char source[SOURCE_SIZE], id[UUID_TEXT_SIZE], time[CLOCK_TEXT_SIZE], before[NUMBER_SIZE];
    int64_t occurred_at_us;
    (void)snprintf(source, sizeof source, SOURCE, log, uuid_format(log_id, id));
    (void)snprintf(before, sizeof before, "%" PRIu64, event->seq - 1);
    const bool is_dated = instant_read(event->occurred_at, &occurred_at_us);
    const struct header headers[] = {
        {"ce-specversion", "1.0"},
        {"ce-id", event->event_id},
        {"ce-type", event->type},
        {"ce-source", source},
        {"ce-subject", subject_of(event)},
        {"ce-time", is_dated ? clock_format(occurred_at_us, time) : NULL},
        {"ce-datacontenttype", "application/protobuf"},
        {"traceparent", traceparent_is_valid(event->traceparent) ? event->traceparent : NULL},
        /* By hand, because libnats takes 0 in jsPubOptions as "not given". */
        {"Nats-Expected-Last-Sequence", before},
    };
    return set_headers(message, headers, sizeof headers / sizeof headers[0]);
}

enum status cloud_event_make(const char *log, const struct uuid *log_id, const Screening__V1__Event *event,
                             natsMsg **out, struct error *error)
{
    char subject[SUBJECT_SIZE];
    natsMsg *message = NULL;
    int length = snprintf(subject, sizeof subject, "screening.%s.%s", log, event->type);
    if (!is_subject(event->type) || length >= (int)sizeof subject)
        return error_set(error, STATUS_INTERNAL, NULL, "type of seq %" PRIu64 ": cannot be part of a subject",
                         event->seq);
    const size_t size = screening__v1__event__get_packed_size(event);
    uint8_t *body = malloc(size);
    if (body == NULL)
        return error_no_memory(error);
    screening__v1__event__pack(event, body);
    bool made = natsMsg_Create(&message, subject, NULL, (const char *)body, (int)size) == NATS_OK &&
                fill_headers(message, log, log_id, event);
    free(body);
    if (!made) {
        natsMsg_Destroy(message);
        return error_no_memory(error);
    }
    *out = message;
    return STATUS_OK;
}

/* Reads log_id out of the source of a message of this log. */
static bool read_source(natsMsg *message, const char *log, struct uuid *log_id)
{
    const char *source = NULL;
    char expected[SOURCE_SIZE], id[UUID_TEXT_SIZE];
    if (natsMsgHeader_Get(message, "ce-source", &source) != NATS_OK)
        return false;
    const char *slash = strrchr(source, '/');
    if (slash == NULL || !uuid_parse(slash + 1, log_id))
        return false;
    (void)snprintf(expected, sizeof expected, SOURCE, log, uuid_format(log_id, id));
    return strcmp(source, expected) == 0;
}

enum status cloud_event_read(natsMsg *message, const char *log, uint64_t sequence, struct event_cursor *out)
{
    struct event_cursor found = {.seq = sequence};
    const char *id = NULL;
    Screening__V1__Event *event = screening__v1__event__unpack(NULL, (size_t)natsMsg_GetDataLength(message),
                                                               (const uint8_t *)natsMsg_GetData(message));
    bool ours = event != NULL && event->seq == sequence && uuid_parse(event->event_id, &found.event_id) &&
                natsMsgHeader_Get(message, "ce-id", &id) == NATS_OK && strcmp(id, event->event_id) == 0 &&
                read_source(message, log, &found.log_id);
    screening__v1__event__free_unpacked(event, NULL);
    if (!ours)
        return STATUS_INVALID_ARGUMENT;
    *out = found;
    return STATUS_OK;
}
