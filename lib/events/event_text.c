#include "events/event_text.h"

enum { US_PER_S = 1000000, NS_PER_US = 1000 };

void event_time_set(Google__Protobuf__Timestamp *out, int64_t instant_us)
{
    int64_t us = instant_us % US_PER_S;
    if (us < 0)
        us += US_PER_S;
    out->seconds = (instant_us - us) / US_PER_S;
    out->nanos = (int32_t)us * NS_PER_US;
}

int64_t event_time_us(const Google__Protobuf__Timestamp *timestamp)
{
    if (timestamp == NULL || timestamp->seconds > INT64_MAX / US_PER_S - 1 ||
        timestamp->seconds < INT64_MIN / US_PER_S + 1)
        return 0;
    return timestamp->seconds * US_PER_S + timestamp->nanos / NS_PER_US;
}

bool event_id_parse(const char *text, struct uuid *out)
{
    if (text[0] != '\0')
        return uuid_parse(text, out);
    *out = (struct uuid){{0}};
    return true;
}

char *event_id_format(const struct uuid *id, char out[UUID_TEXT_SIZE])
{
    if (!uuid_is_zero(id))
        return uuid_format(id, out);
    out[0] = '\0';
    return out;
}
