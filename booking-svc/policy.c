#include "policy.h"

#include <string.h>

#include "base/civil.h"
#include "base/instant.h"

#include "screening/v1/words.h"

enum status policy_hospital_event(const Screening__V1__Event *event, bool *reacts,
                                  struct hospital_deletion *deletion, struct error *error)
{
    *reacts = false;
    if (strcmp(event->type, SCREENING_EVENT_HOSPITAL_DELETED) != 0)
        return STATUS_OK;
    struct uuid hospital_id;
    int64_t occurred_at_us;
    if (event->body_case != SCREENING__V1__EVENT__BODY_HOSPITAL ||
        !instant_read(event->occurred_at, &occurred_at_us) ||
        !uuid_parse(event->hospital->hospital_id, &hospital_id))
        return error_set(error, STATUS_INTERNAL, NULL, "hospital.deleted without a hospital or an instant");
    *deletion = (struct hospital_deletion){.hospital_id = hospital_id, .day = civil_day_at(occurred_at_us)};
    *reacts = true;
    return STATUS_OK;
}
