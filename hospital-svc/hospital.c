#include "hospital.h"

#include <assert.h>
#include <string.h>

#include "base/check.h"

#include "screening/v1/words.h"

uint32_t screening_day_remaining(const struct screening_day *day)
{
    uint32_t remaining = day->capacity > day->reserved ? day->capacity - day->reserved : 0;
    CHECK(remaining <= day->capacity && (remaining == 0 || remaining + day->reserved == day->capacity));
    return remaining;
}

static enum status refuse_unknown(const struct hospital *hospital, struct error *error)
{
    char id[UUID_TEXT_SIZE];
    return error_set(error, STATUS_NOT_FOUND, NULL, "hospital_id: no hospital %s",
                     uuid_format(&hospital->id, id));
}

/*
 * Checks a registration that is not a repetition. A repetition must not be refused because a day has passed
 * in the meantime, or by a rule that did not exist when an earlier version accepted the registration.
 */
static enum status check_registration(const struct hospital *hospital, const struct registration *command,
                                      int32_t today, struct error *error)
{
    if (hospital->state != HOSPITAL_NONE) {
        char id[UUID_TEXT_SIZE];
        return error_set(error, STATUS_ALREADY_EXISTS, NULL, "hospital %s exists with other content",
                         uuid_format(&hospital->id, id));
    }
    if (command->refusal != NULL)
        return error_invalid(error, "%s", command->refusal);
    for (size_t i = 0; i < command->day_count; i++)
        if (command->days[i].date < today)
            return error_invalid(error, "days[%zu].date: must be today or later", i);
    return STATUS_OK;
}

static bool is_repeat(const struct hospital *hospital, const struct registration *command)
{
    return hospital->state != HOSPITAL_NONE &&
           (memcmp(hospital->content, command->content, DIGEST_SIZE) == 0 ||
            memcmp(hospital->content, command->content_as_sent, DIGEST_SIZE) == 0 ||
            memcmp(hospital->content, command->content_decomposed, DIGEST_SIZE) == 0);
}

/* Opens a day. Places that were reinstated earlier stay reserved. */
static void open_day(struct screening_day *day, uint32_t capacity)
{
    day->capacity = capacity;
    day->version = 1;
}

enum status hospital_register(struct hospital *hospital, struct screening_day *const *days,
                              const struct registration *command, int32_t today, int64_t now_us,
                              bool *changed, struct error *error)
{
    CHECK(uuid_equal(&hospital->id, &command->hospital_id));
    if (is_repeat(hospital, command)) {
        *changed = false;
        return STATUS_OK;
    }
    TRY(check_registration(hospital, command, today, error));
    *hospital = (struct hospital){.id = command->hospital_id,
                                  .state = HOSPITAL_ACTIVE,
                                  .name = command->name,
                                  .address = command->address,
                                  .created_at_us = now_us};
    memcpy(hospital->content, command->content, DIGEST_SIZE);
    for (size_t i = 0; i < command->day_count; i++) {
        CHECK(days[i]->date == command->days[i].date);
        open_day(days[i], command->days[i].capacity);
    }
    *changed = true;
    return STATUS_OK;
}

static enum status check_capacity(const struct screening_day *day, const struct capacity_wanted *command,
                                  struct error *error)
{
    if (command->expected_version != 0 && command->expected_version != day->version) {
        return error_set(error, STATUS_FAILED_PRECONDITION, SCREENING_REASON_VERSION_MISMATCH,
                         "the day has version %llu, not %llu", (unsigned long long)day->version,
                         (unsigned long long)command->expected_version);
    }
    if (command->capacity < day->reserved && command->capacity < day->capacity) {
        return error_set(error, STATUS_FAILED_PRECONDITION, SCREENING_REASON_CAPACITY_BELOW_RESERVED,
                         "capacity: %u places are reserved already", day->reserved);
    }
    return STATUS_OK;
}

enum status hospital_set_capacity(const struct hospital *hospital, struct screening_day *day,
                                  const struct capacity_wanted *command, int32_t today, bool *changed,
                                  struct error *error)
{
    if (command->date < today)
        return error_invalid(error, "date: must be today or later");
    if (hospital->state == HOSPITAL_NONE)
        return refuse_unknown(hospital, error);
    if (hospital->state == HOSPITAL_DELETED)
        return error_set(error, STATUS_FAILED_PRECONDITION, SCREENING_REASON_HOSPITAL_DELETED,
                         "the hospital is deleted");
    if (day->capacity == command->capacity) {
        *changed = false;
        return STATUS_OK;
    }
    TRY(check_capacity(day, command, error));
    CHECK(day->date == command->date && uuid_equal(&day->hospital_id, &command->hospital_id));
    CHECK(day->reserved <= command->capacity || day->capacity < command->capacity); /* G1 */
    day->capacity = command->capacity;
    day->version++;
    CHECK(day->version > 0);
    *changed = true;
    return STATUS_OK;
}

enum status hospital_delete(struct hospital *hospital, bool *changed, struct error *error)
{
    if (hospital->state == HOSPITAL_NONE)
        return refuse_unknown(hospital, error);
    CHECK(hospital->state == HOSPITAL_ACTIVE || hospital->state == HOSPITAL_DELETED);
    *changed = hospital->state != HOSPITAL_DELETED;
    hospital->state = HOSPITAL_DELETED;
    return STATUS_OK;
}

static bool is_same_grant(const struct reservation *reservation, const struct reserve *command)
{
    return uuid_equal(&reservation->hospital_id, &command->hospital_id) &&
           reservation->date == command->date && reservation->headcount == command->headcount;
}

static void take_places(struct reservation *reservation, struct screening_day *day,
                        const struct reserve *command)
{
    CHECK(command->headcount >= 1 && command->headcount <= HEADCOUNT_MAX);
    CHECK(day->date == command->date && uuid_equal(&day->hospital_id, &command->hospital_id));
    CHECK(uuid_equal(&reservation->booking_id, &command->booking_id));
    CHECK(reservation->state != RESERVATION_LIVE);
    day->reserved += command->headcount;
    reservation->hospital_id = command->hospital_id;
    reservation->date = command->date;
    reservation->headcount = command->headcount;
    reservation->state = RESERVATION_LIVE;
    CHECK(day->reserved >= reservation->headcount); /* G1: `reserved` includes this reservation */
}

enum reserve_outcome hospital_reserve(const struct hospital *hospital, struct screening_day *day,
                                      struct reservation *reservation, const struct reserve *command,
                                      int32_t today)
{
    switch (reservation->state) {
    case RESERVATION_LIVE:
        return is_same_grant(reservation, command) ? RESERVE_REPEATED : RESERVE_OTHER_CONTENT;
    case RESERVATION_RELEASED:
    case RESERVATION_TOMBSTONE:
        return RESERVE_RELEASED;
    case RESERVATION_NONE:
        break;
    }
    if (hospital->state != HOSPITAL_ACTIVE)
        return hospital->state == HOSPITAL_NONE ? RESERVE_HOSPITAL_NOT_FOUND : RESERVE_HOSPITAL_DELETED;
    if (command->date < today || day->capacity == 0)
        return RESERVE_DATE_NOT_OPEN;
    if (screening_day_remaining(day) < command->headcount)
        return RESERVE_SOLD_OUT;
    take_places(reservation, day, command);
    CHECK(day->reserved <= day->capacity); /* G1 */
    return RESERVE_GRANTED;
}

const struct reserve_answer *reserve_answer(enum reserve_outcome outcome)
{
    static const struct reserve_answer ANSWERS[] = {
        [RESERVE_GRANTED] = {STATUS_OK, "", ""},
        [RESERVE_REPEATED] = {STATUS_OK, "", ""},
        [RESERVE_MALFORMED] = {STATUS_INVALID_ARGUMENT, "", "the request is malformed"},
        [RESERVE_OTHER_CONTENT] = {STATUS_ALREADY_EXISTS, "",
                                   "the booking_id is reserved with other content"},
        [RESERVE_RELEASED] = {STATUS_FAILED_PRECONDITION, SCREENING_REASON_RELEASED,
                              "the booking's reservation was released"},
        [RESERVE_HOSPITAL_NOT_FOUND] = {STATUS_FAILED_PRECONDITION, SCREENING_REASON_HOSPITAL_NOT_FOUND,
                                        "there is no such hospital"},
        [RESERVE_HOSPITAL_DELETED] = {STATUS_FAILED_PRECONDITION, SCREENING_REASON_HOSPITAL_DELETED,
                                      "the hospital is deleted"},
        [RESERVE_DATE_NOT_OPEN] = {STATUS_FAILED_PRECONDITION, SCREENING_REASON_DATE_NOT_OPEN,
                                   "the hospital does not screen on that date"},
        [RESERVE_SOLD_OUT] = {STATUS_FAILED_PRECONDITION, SCREENING_REASON_SOLD_OUT,
                              "not enough places are left"},
    };
    static_assert(sizeof ANSWERS / sizeof ANSWERS[0] == RESERVE_OUTCOME_COUNT, "an answer per outcome");
    CHECK((size_t)outcome < sizeof ANSWERS / sizeof ANSWERS[0]);
    return &ANSWERS[outcome];
}

enum release_outcome hospital_release(struct reservation *reservation, struct screening_day *day,
                                      const struct release *command)
{
    switch (reservation->state) {
    case RESERVATION_LIVE:
        CHECK(day->date == reservation->date && uuid_equal(&day->hospital_id, &reservation->hospital_id));
        CHECK(day->reserved >= reservation->headcount); /* G1 */
        day->reserved -= reservation->headcount;
        reservation->state = RESERVATION_RELEASED;
        return RELEASE_FREED;
    case RESERVATION_NONE:
        CHECK(uuid_equal(&reservation->booking_id, &command->booking_id));
        reservation->hospital_id = command->hospital_id;
        reservation->date = command->date;
        reservation->headcount = 0;
        reservation->state = RESERVATION_TOMBSTONE;
        return RELEASE_TOMBSTONE;
    case RESERVATION_RELEASED:
    case RESERVATION_TOMBSTONE:
        break;
    }
    return RELEASE_NOTHING;
}

enum reinstate_outcome hospital_reinstate(struct reservation *reservation, struct screening_day *day,
                                          const struct reserve *command)
{
    if (reservation->state == RESERVATION_LIVE)
        return is_same_grant(reservation, command) ? REINSTATE_LIVE : REINSTATE_OTHER_CONTENT;
    take_places(reservation, day, command);
    return REINSTATE_TAKEN;
}
