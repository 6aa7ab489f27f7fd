/*
 * Domain rules for hospitals, screening days and reservations. A rule takes the current state and a command,
 * and returns an outcome. The functions are pure: they use no I/O, clock or global variables. The caller
 * passes `today` and `now_us`. Any thread.
 *
 * A rule updates its state arguments in place, or leaves them unchanged if it refuses the command. If there
 * is no stored state, the caller passes a struct that is zero except for its key. This means HOSPITAL_NONE,
 * version 0 or RESERVATION_NONE.
 *
 * Invariant (G1): reserved = sum of the headcounts of the day's live reservations. No grant and no capacity
 * change makes `reserved` exceed the capacity. Only a reinstatement can; the day is then overcommitted.
 */
#ifndef SCREENING_HOSPITAL_SVC_HOSPITAL_H
#define SCREENING_HOSPITAL_SVC_HOSPITAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/status.h"
#include "base/uuid.h"

#include "screening/v1/types.pb-c.h"

enum {
    HOSPITAL_NAME_MAX = 200,    /* in characters */
    HOSPITAL_ADDRESS_MAX = 300, /* in characters */
    HOSPITAL_DAYS_MAX = 400,    /* per registration */
    CAPACITY_MAX = 100000,
    HEADCOUNT_MAX = 100,
};

/* These numbers are stored in the database. */
enum hospital_state {
    HOSPITAL_NONE = SCREENING__V1__HOSPITAL_STATUS__HOSPITAL_STATUS_UNSPECIFIED,
    HOSPITAL_ACTIVE = SCREENING__V1__HOSPITAL_STATUS__ACTIVE,
    HOSPITAL_DELETED = SCREENING__V1__HOSPITAL_STATUS__DELETED,
};

struct hospital {
    struct uuid id;
    enum hospital_state state;
    const char *name;
    const char *address;
    int64_t created_at_us;
    uint8_t content[DIGEST_SIZE]; /* digest of the registration that was first accepted */
};

struct screening_day {
    struct uuid hospital_id;
    int32_t date;
    uint32_t capacity; /* 0 = closed */
    uint32_t reserved; /* places held by live reservations, even if the day was never opened */
    uint64_t version;  /* 0 = never opened; each capacity change adds 1, reserving and releasing do not */
};

/* Returns the number of places still available, or 0 if the day is overcommitted. */
uint32_t screening_day_remaining(const struct screening_day *day);

/* These numbers are stored in the database. */
enum reservation_state {
    RESERVATION_NONE = 0,
    RESERVATION_LIVE = 1,
    RESERVATION_RELEASED = 2,
    RESERVATION_TOMBSTONE = 3, /* the booking has ended, and there was no reservation to release */
};

struct reservation {
    struct uuid booking_id;
    struct uuid hospital_id;
    int32_t date;
    uint32_t headcount; /* number of people; 0 in a tombstone */
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
    /*
     * The digests of the registration with its texts as sent, and with its texts decomposed. An earlier
     * version may have stored either of them.
     */
    uint8_t content_as_sent[DIGEST_SIZE], content_decomposed[DIGEST_SIZE];
    const char *refusal; /* NULL, or "field: rule" to refuse a new hospital; ignored for a repetition */
    const struct day_wanted *days; /* unique dates, in request order */
    size_t day_count;
};

/*
 * Registers a hospital. days[i] holds the state for command->days[i]. Returns OK with *changed true if the
 * hospital and its days are now registered; the hospital's strings are then those of `command`. Returns OK
 * with *changed false if it was already registered with the same content, even if it was deleted in the
 * meantime. Returns ALREADY_EXISTS if it exists with different content. Returns INVALID_ARGUMENT if it is new
 * and a day is in the past or a text violates a rule.
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
 * Sets the capacity of a day. Returns OK if the day now has the requested capacity; *changed is false if it
 * had that capacity before. A day that was never opened has capacity 0 and version 0. The capacity of an
 * overcommitted day may be raised to a value that is still below its reserved places. Returns
 * INVALID_ARGUMENT for a past date, NOT_FOUND if there is no such hospital, and FAILED_PRECONDITION with
 * HOSPITAL_DELETED, VERSION_MISMATCH or CAPACITY_BELOW_RESERVED.
 */
MUST_CHECK enum status hospital_set_capacity(const struct hospital *hospital, struct screening_day *day,
                                             const struct capacity_wanted *command, int32_t today,
                                             bool *changed, struct error *error);

/* ---- DeleteHospital ---- */

/*
 * Deletes the hospital. Returns OK if it is now deleted, with *changed false if it already was. Returns
 * NOT_FOUND if there is no such hospital.
 */
MUST_CHECK enum status hospital_delete(struct hospital *hospital, bool *changed, struct error *error);

/* ---- Reserve ---- */

struct reserve {
    struct uuid booking_id;
    struct uuid hospital_id;
    int32_t date;
    uint32_t headcount; /* 1 to HEADCOUNT_MAX */
};

enum reserve_outcome {
    RESERVE_GRANTED,
    RESERVE_REPEATED,  /* the Reserve was granted before; no further places are taken */
    RESERVE_MALFORMED, /* set by callers that validate requests; hospital_reserve never returns it */
    RESERVE_OTHER_CONTENT,
    RESERVE_RELEASED,
    RESERVE_HOSPITAL_NOT_FOUND,
    RESERVE_HOSPITAL_DELETED,
    RESERVE_DATE_NOT_OPEN,
    RESERVE_SOLD_OUT,
};
enum { RESERVE_OUTCOME_COUNT = RESERVE_SOLD_OUT + 1 };

/*
 * Takes `headcount` places on the day if the outcome is RESERVE_GRANTED. Returns the outcome. While the
 * reservation is live, a repeated Reserve with the same content returns RESERVE_REPEATED, even if the
 * hospital was deleted or the date has passed.
 */
MUST_CHECK enum reserve_outcome hospital_reserve(const struct hospital *hospital, struct screening_day *day,
                                                 struct reservation *reservation,
                                                 const struct reserve *command, int32_t today);

/* An outcome as sent on the wire, with a status, a reason ("" = none) and a message for people. */
struct reserve_answer {
    enum status status;
    const char *reason;
    const char *message;
};
const struct reserve_answer *reserve_answer(enum reserve_outcome outcome);

/* ---- release, when a booking is cancelled, rejected or force-cancelled ---- */

struct release {
    struct uuid booking_id;
    struct uuid hospital_id;
    int32_t date;
    /* The headcount of a confirmed booking, which must hold a live place. 0 = the booking has ended. */
    uint32_t confirmed;
};

enum release_outcome {
    RELEASE_FREED,     /* the places of the live reservation are free again */
    RELEASE_TOMBSTONE, /* the booking was unknown; a late Reserve for it will be refused */
    RELEASE_NOTHING,   /* the reservation was released before, or is a tombstone */
};

/*
 * Releases the reservation of a booking. `day` is the day of the stored reservation, and may be NULL if the
 * reservation is not live. The caller must have checked that the day has at least as many reserved places as
 * the reservation holds. Returns the outcome.
 */
MUST_CHECK enum release_outcome hospital_release(struct reservation *reservation, struct screening_day *day,
                                                 const struct release *command);

/* ---- reinstate, which restores a confirmed booking's place that was lost when the database reverted ---- */

enum reinstate_outcome {
    REINSTATE_LIVE,          /* the booking's place was already live */
    REINSTATE_TAKEN,         /* the booking's place was taken again and is live */
    REINSTATE_OTHER_CONTENT, /* a different place is live under the booking's id and stays unchanged */
};

/*
 * Makes the booking's place live, unless a different place is live under the booking's id. Overrides a
 * released reservation or a tombstone, and ignores the hospital's state and the day's capacity. `day` is the
 * day named in the command, and changes only on REINSTATE_TAKEN.
 */
MUST_CHECK enum reinstate_outcome
hospital_reinstate(struct reservation *reservation, struct screening_day *day, const struct reserve *command);

#endif
