/* Conversions between the text in events and our types. Pure; any thread. */
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

/* An optional id: "" stands for the zero id. False if `text` is neither empty nor an id. */
bool event_id_parse(const char *text, struct uuid *out);
char *event_id_format(const struct uuid *id, char out[UUID_TEXT_SIZE]);

#endif
