#include "policy.h"

#include <string.h>

#include "base/civil.h"

enum status policy_hospital_event(const Screening__V1__Event *event, bool *reacts,
                                  struct hospital_deletion *deletion, struct error *error)
{
    *reacts = false;
    if (strcmp(event->type, "hospital.deleted") != 0)
        return STATUS_OK;
    struct uuid hospital_id;
    if (event->body_case != SCREENING__V1__EVENT__BODY_HOSPITAL || event->occurred_at == NULL ||
        !uuid_parse(event->hospital->hospital_id, &hospital_id))
        return error_set(error, STATUS_INTERNAL, NULL, "hospital.deleted without a hospital or an instant");
    int64_t occurred_at_us = event->occurred_at->seconds * 1000000 + event->occurred_at->nanos / 1000;
    *deletion = (struct hospital_deletion){.hospital_id = hospital_id, .day = civil_day_at(occurred_at_us)};
    *reacts = true;
    return STATUS_OK;
}
