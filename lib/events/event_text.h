/* Between what events say in text and what we keep. Pure; any thread. */
#ifndef SCREENING_EVENTS_EVENT_TEXT_H
#define SCREENING_EVENTS_EVENT_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"

#include "google/protobuf/timestamp.pb-c.h"

/* Fills an initialised message. */
void event_time_set(Google__Protobuf__Timestamp *out, int64_t instant_us);

/* 0 for NULL. */
int64_t event_time_us(const Google__Protobuf__Timestamp *timestamp);

/* An id that may be missing: "" and a zero id are the same. False if `text` is neither empty nor an id. */
bool event_id_parse(const char *text, struct uuid *out);
char *event_id_format(const struct uuid *id, char out[UUID_TEXT_SIZE]);

#endif
