#include "base/instant.h"

#include <stddef.h>

#include "base/clock.h"

/* The years 1 to 9999. */
static const int64_t SECONDS_MIN = INT64_C(-62135596800);
static const int64_t SECONDS_MAX = INT64_C(253402300799);

void instant_write(int64_t instant_us, Google__Protobuf__Timestamp *out)
{
    int64_t part_us = instant_us % US_PER_S;
    if (part_us < 0) /* nanos are never negative, even before 1970 */
        part_us += US_PER_S;
    google__protobuf__timestamp__init(out);
    out->seconds = (instant_us - part_us) / US_PER_S;
    out->nanos = (int32_t)part_us * NS_PER_US;
}

bool instant_read(const Google__Protobuf__Timestamp *timestamp, int64_t *instant_us)
{
    if (timestamp == NULL || timestamp->seconds < SECONDS_MIN || timestamp->seconds > SECONDS_MAX ||
        timestamp->nanos < 0 || timestamp->nanos >= NS_PER_S)
        return false;
    *instant_us = timestamp->seconds * US_PER_S + timestamp->nanos / NS_PER_US;
    return true;
}
