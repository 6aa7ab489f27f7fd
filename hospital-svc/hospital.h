/*
 * The rules of hospitals, screening days and reservations: state and command in, outcome and new state out.
 * Pure: no I/O, no clock, no global; `today` and `now_us` are handed in. Any thread.
 *
 * Every rule changes the states it is given in place, and only when it says so: a refusal leaves them as they
 * were. State that is not stored is handed in as all zero but its key: HOSPITAL_NONE, version 0,
 * RESERVATION_NONE.
 *
 * Invariant (G1): reserved = sum of the headcounts of the day's live reservations, and no grant and no new
 * capacity makes it exceed the capacity. Only a reinstated place can: the day is then overcommitted.
 */
#ifndef SCREENING_HOSPITAL_SVC_HOSPITAL_H
#define SCREENING_HOSPITAL_SVC_HOSPITAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/status.h"
#include "base/uuid.h"

enum {
    HOSPITAL_NAME_MAX = 200,    /* characters */
    HOSPITAL_ADDRESS_MAX = 300, /* characters */
    HOSPITAL_DAYS_MAX = 400,    /* per registration */
    CAPACITY_MAX = 100000,
    HEADCOUNT_MAX = 100,
};

/* The numbers are those stored. */
enum hospital_state { HOSPITAL_NONE = 0, HOSPITAL_ACTIVE = 1, HOSPITAL_DELETED = 2 };

struct hospital {
    struct uuid id;
    enum hospital_state state;
    const char *name;
    const char *address;
    int64_t created_at_us;
    uint8_t content[DIGEST_SIZE]; /* of the registration as first accepted */
};

struct screening_day {
    struct uuid hospital_id;
    int32_t date;
    uint32_t capacity; /* 0 = closed */
    uint32_t reserved; /* places of live reservations; counted whether or not the day was ever opened */
    uint64_t
        version; /* 0 = never opened; each change of the capacity adds one, reserving and releasing don't */
};

/* How many more places the day can grant: 0 if it is overcommitted. */
uint32_t screening_day_remaining(const struct screening_day *day);

/* The numbers are those stored. */
enum reservation_state {
    RESERVATION_NONE = 0,
    RESERVATION_LIVE = 1,
    RESERVATION_RELEASED = 2,
    RESERVATION_TOMBSTONE = 3, /* its booking ended before it was ever reserved */
};

struct reservation {
    struct uuid booking_id;
    struct uuid hospital_id;
    int32_t date;
    uint32_t headcount; /* 0 in a tombstone */
    enum reservation_state state;
};

/* ---- RegisterHospital ---- */

struct day_wanted {
    int32_t date;
    uint32_t capacity;
};

struct registration {
    struct uuid hospital_id;
    const char *name;
    const char *address;
    uint8_t content[DIGEST_SIZE];
    /* Of the texts as they came, and decomposed: what earlier versions may have kept. */
    uint8_t content_as_sent[DIGEST_SIZE], content_decomposed[DIGEST_SIZE];
    const char
        *refusal; /* "field: rule" that a new hospital would break; NULL = none: a repeat is answered */
    const struct day_wanted *days; /* dates unique, in the order of the request */
    size_t day_count;
};

/*
 * days[i] is the state of command->days[i]. OK with *changed: hospital and days are as registered (the
 * strings are command's). OK without: it is registered with this very content already, deleted or not.
 * ALREADY_EXISTS: with other content. INVALID_ARGUMENT: a new hospital with a past day or
 * a text that breaks a rule.
 */
MUST_CHECK enum status hospital_register(struct hospital *hospital, struct screening_day *const *days,
                                         const struct registration *command, int32_t today, int64_t now_us,
                                         bool *changed, struct error *error);

/* ---- SetCapacity ---- */

struct capacity_wanted {
    struct uuid hospital_id;
    int32_t date;
    uint32_t capacity;
    uint64_t expected_version; /* 0 = any */
};

/*
 * OK: the day has the wanted capacity; *changed tells whether it is new to it. A day never opened counts as
 * capacity 0, version 0. An overcommitted day may be raised to a capacity that is still below its reserved
 * places. INVALID_ARGUMENT: a past date. NOT_FOUND: no such hospital. FAILED_PRECONDITION: HOSPITAL_DELETED,
 * VERSION_MISMATCH, CAPACITY_BELOW_RESERVED.
 */
MUST_CHECK enum status hospital_set_capacity(const struct hospital *hospital, struct screening_day *day,
                                             const struct capacity_wanted *command, int32_t today,
                                             bool *changed, struct error *error);

/* ---- DeleteHospital ---- */

/* OK: it is deleted; *changed unless it already was. NOT_FOUND: no such hospital. */
MUST_CHECK enum status hospital_delete(struct hospital *hospital, bool *changed, struct error *error);

/* ---- Reserve ---- */

struct reserve {
    struct uuid booking_id;
    struct uuid hospital_id;
    int32_t date;
    uint32_t headcount; /* 1..HEADCOUNT_MAX */
};

enum reserve_outcome {
    RESERVE_GRANTED,
    RESERVE_REPEATED,  /* granted before, nothing was taken now */
    RESERVE_MALFORMED, /* for callers that check the request: the rule never says it */
    RESERVE_OTHER_CONTENT,
    RESERVE_RELEASED,
    RESERVE_HOSPITAL_NOT_FOUND,
    RESERVE_HOSPITAL_DELETED,
    RESERVE_DATE_NOT_OPEN,
    RESERVE_SOLD_OUT,
};
enum { RESERVE_OUTCOME_COUNT = RESERVE_SOLD_OUT + 1 };

/*
 * Takes headcount places of the day, for good once GRANTED. A repeat of a grant is answered whatever has
 * become of the hospital and the date since.
 */
MUST_CHECK enum reserve_outcome hospital_reserve(const struct hospital *hospital, struct screening_day *day,
                                                 struct reservation *reservation,
                                                 const struct reserve *command, int32_t today);

/* What an outcome is on the wire: status, reason ("" if none) and a message for people. */
struct reserve_answer {
    enum status status;
    const char *reason;
    const char *message;
};
const struct reserve_answer *reserve_answer(enum reserve_outcome outcome);

/* ---- release: whenever a booking is cancelled, rejected or force-cancelled ---- */

struct release {
    struct uuid booking_id;
    struct uuid hospital_id;
    int32_t date;
    uint32_t confirmed; /* not an ending: the headcount of a confirmed booking, whose place must be live */
};

enum release_outcome {
    RELEASE_FREED,     /* the live reservation's places are free again */
    RELEASE_TOMBSTONE, /* the booking was unknown: a Reserve that comes late will be refused */
    RELEASE_NOTHING,   /* released before */
};

/* `day` is the reservation's own day; it is read only if the reservation is live. */
MUST_CHECK enum release_outcome hospital_release(struct reservation *reservation, struct screening_day *day,
                                                 const struct release *command);

/* ---- reinstate: a confirmed booking whose place a database that went back has lost ---- */

enum reinstate_outcome {
    REINSTATE_LIVE,          /* its place is live, nothing was taken */
    REINSTATE_TAKEN,         /* its place is live again */
    REINSTATE_OTHER_CONTENT, /* another place is live under its id, which stays as it is */
};

/*
 * Makes the booking's place live: over a released reservation or a tombstone, whatever the state of the
 * hospital, and beyond the capacity of the day. `day` is the command's; it is changed only if TAKEN.
 */
MUST_CHECK enum reinstate_outcome
hospital_reinstate(struct reservation *reservation, struct screening_day *day, const struct reserve *command);

#endif
