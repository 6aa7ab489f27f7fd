#include "policy.h"

#include <string.h>

#include "base/check.h"
#include "base/civil.h"

#include "screening/v1/words.h"

bool policy_has_effect(const Screening__V1__Event *event)
{
    static const char *const ENDINGS[] = {SCREENING_EVENT_BOOKING_CANCELLED, SCREENING_EVENT_BOOKING_REJECTED,
                                          SCREENING_EVENT_BOOKING_FORCE_CANCELLED,
                                          SCREENING_EVENT_BOOKING_RELEASED};
    for (size_t i = 0; i < sizeof ENDINGS / sizeof ENDINGS[0]; i++)
        if (strcmp(event->type, ENDINGS[i]) == 0)
            return true;
    return false;
}

static enum status read_release(const Screening__V1__Event *event, struct release *out, struct error *error)
{
    if (event->body_case != SCREENING__V1__EVENT__BODY_BOOKING ||
        !uuid_parse(event->booking->booking_id, &out->booking_id) ||
        !uuid_parse(event->booking->hospital_id, &out->hospital_id) ||
        !civil_parse(event->booking->date, &out->date)) {
        return error_set(error, STATUS_INTERNAL, NULL,
                         "event %llu (%s) has no booking with booking_id, hospital_id and date",
                         (unsigned long long)event->seq, event->type);
    }
    out->confirmed = 0;
    return STATUS_OK;
}

static enum status read_confirmation(const Screening__V1__Event *event, struct release *out,
                                     struct error *error)
{
    TRY(read_release(event, out, error));
    out->confirmed = event->booking->headcount;
    if (out->confirmed < 1 || out->confirmed > HEADCOUNT_MAX) {
        return error_set(error, STATUS_INTERNAL, NULL, "event %llu (%s) has no headcount",
                         (unsigned long long)event->seq, event->type);
    }
    return STATUS_OK;
}

enum status policy_releases(Screening__V1__Event *const *events, size_t count, bool catching_up,
                            struct release *releases, size_t *released, struct error *error)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        if (policy_has_effect(events[i]))
            TRY(read_release(events[i], &releases[found++], error));
        else if (catching_up && strcmp(events[i]->type, SCREENING_EVENT_BOOKING_CONFIRMED) == 0)
            TRY(read_confirmation(events[i], &releases[found++], error));
    CHECK(found <= count);
    *released = found;
    return STATUS_OK;
}
