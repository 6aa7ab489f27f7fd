#include "projection.h"

#include <stddef.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"

#include "screening/v1/words.h"

/* The part of a type before its dot is the name of its log. */
static const struct {
    const char *type;
    struct event_kind kind;
} KINDS[] = {
    {SCREENING_EVENT_BOOKING_CONFIRMED, {EVENT_BOOKING, SCREENING__V1__BOOKING_STATUS__CONFIRMED}},
    {SCREENING_EVENT_BOOKING_CANCELLED, {EVENT_BOOKING, SCREENING__V1__BOOKING_STATUS__CANCELLED}},
    {SCREENING_EVENT_BOOKING_REJECTED, {EVENT_BOOKING, SCREENING__V1__BOOKING_STATUS__REJECTED}},
    {SCREENING_EVENT_BOOKING_FORCE_CANCELLED,
     {EVENT_BOOKING, SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED}},
    {SCREENING_EVENT_BOOKING_REQUESTED, {EVENT_BOOKING, SCREENING__V1__BOOKING_STATUS__REQUESTED}},
    {SCREENING_EVENT_BOOKING_RELEASED, {EVENT_WITHOUT_EFFECT, 0}},
    {SCREENING_EVENT_HOSPITAL_CAPACITY_SET, {EVENT_WITHOUT_EFFECT, 0}},
    {SCREENING_EVENT_HOSPITAL_REGISTERED, {EVENT_HOSPITAL_REGISTERED, 0}},
    {SCREENING_EVENT_HOSPITAL_DELETED, {EVENT_HOSPITAL_DELETED, 0}},
};

struct event_kind projection_event_kind(const char *log, const char *type)
{
    size_t length = strlen(log);
    bool of_log = strncmp(type, log, length) == 0 && type[length] == '.';
    for (size_t i = 0; of_log && i < sizeof KINDS / sizeof KINDS[0]; i++)
        if (strcmp(KINDS[i].type, type) == 0)
            return KINDS[i].kind;
    return (struct event_kind){EVENT_UNKNOWN, 0};
}

bool projection_moves(uint64_t known, uint64_t told)
{
    return told > known;
}

struct booking_view projection_view(Screening__V1__BookingStatus status, int32_t day,
                                    const struct hospital_deletion *deletion)
{
    CHECK(status >= SCREENING__V1__BOOKING_STATUS__REQUESTED &&
          status <= SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED);
    bool is_live = status == SCREENING__V1__BOOKING_STATUS__REQUESTED ||
                   status == SCREENING__V1__BOOKING_STATUS__CONFIRMED;
    if (is_live && deletion->deleted && day >= deletion->day)
        return (struct booking_view){.status = SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED,
                                     .provisional = true};
    return (struct booking_view){.status = status, .provisional = false};
}

uint64_t projection_lag_ms(uint64_t applied_seq, uint64_t head_seq, int64_t oldest_unapplied_us,
                           int64_t now_us)
{
    if (applied_seq >= head_seq || oldest_unapplied_us == 0 || oldest_unapplied_us >= now_us)
        return 0;
    return (uint64_t)(now_us - oldest_unapplied_us) / US_PER_MS;
}
