/* Converts the ids in events to and from text. Pure; any thread. */
#ifndef SCREENING_EVENTS_EVENT_TEXT_H
#define SCREENING_EVENTS_EVENT_TEXT_H

#include <stdbool.h>

#include "base/uuid.h"

/*
 * Parses an optional id. An empty text gives the zero id. Returns false if `text` is neither empty nor an id.
 */
bool event_id_parse(const char *text, struct uuid *out);
char *event_id_format(const struct uuid *id, char out[UUID_TEXT_SIZE]);

#endif
