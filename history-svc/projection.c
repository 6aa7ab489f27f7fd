#include "projection.h"

#include <stddef.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"

const char PROJECTION_REASON_HOSPITAL_DELETED[] = "HOSPITAL_DELETED";

/* The prefix of a type, up to the dot, names its log. */
static const struct {
    const char *log;
    const char *type;
    struct event_kind kind;
} KINDS[] = {
    {"booking", "booking.confirmed", {EVENT_BOOKING, BOOKING_CONFIRMED}},
    {"booking", "booking.cancelled", {EVENT_BOOKING, BOOKING_CANCELLED}},
    {"booking", "booking.rejected", {EVENT_BOOKING, BOOKING_REJECTED}},
    {"booking", "booking.force_cancelled", {EVENT_BOOKING, BOOKING_FORCE_CANCELLED}},
    {"booking", "booking.requested", {EVENT_BOOKING, BOOKING_REQUESTED}},
    {"booking", "booking.released", {EVENT_WITHOUT_EFFECT, 0}},
    {"hospital", "hospital.capacity_set", {EVENT_WITHOUT_EFFECT, 0}},
    {"hospital", "hospital.registered", {EVENT_HOSPITAL_REGISTERED, 0}},
    {"hospital", "hospital.deleted", {EVENT_HOSPITAL_DELETED, 0}},
};

struct event_kind projection_event_kind(const char *log, const char *type)
{
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++)
        if (strcmp(KINDS[i].type, type) == 0 && strcmp(KINDS[i].log, log) == 0)
            return KINDS[i].kind;
    return (struct event_kind){EVENT_UNKNOWN, 0};
}

bool projection_moves(uint64_t known, uint64_t told)
{
    return told > known;
}

struct booking_view projection_view(enum booking_status status, int32_t day,
                                    const struct hospital_deletion *deletion)
{
    CHECK(status >= BOOKING_REQUESTED && status <= BOOKING_FORCE_CANCELLED);
    bool is_live = status == BOOKING_REQUESTED || status == BOOKING_CONFIRMED;
    if (is_live && deletion->deleted && day >= deletion->day)
        return (struct booking_view){.status = BOOKING_FORCE_CANCELLED, .provisional = true};
    return (struct booking_view){.status = status, .provisional = false};
}

uint64_t projection_lag_ms(uint64_t applied_seq, uint64_t head_seq, int64_t oldest_unapplied_us,
                           int64_t now_us)
{
    if (applied_seq >= head_seq || oldest_unapplied_us == 0 || oldest_unapplied_us >= now_us)
        return 0;
    return (uint64_t)(now_us - oldest_unapplied_us) / US_PER_MS;
}
