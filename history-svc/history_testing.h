/* A test harness that needs PostgreSQL. It creates a database per test, makes events and applies chunks. */
#ifndef SCREENING_HISTORY_SVC_HISTORY_TESTING_H
#define SCREENING_HISTORY_SVC_HISTORY_TESTING_H

#include "batch.h"
#include "projection.h"
#include "store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "db/db.h"
#include "events/events_testing.h" /* for expect, wait_until, number_of */

#include "screening/v1/event.pb-c.h"

enum { TEST_DAY = 20500 };

/* The database of one test, with the live schema, and a batch that applies chunks. */
struct place {
    char database[64];
    char url[TEXT_SIZE];
    struct db *db;
    struct batch *batch;
    struct arena arena;   /* holds the events */
    uint64_t booking_seq; /* the seq of the last booking event applied */
    uint64_t hospital_seq;
};

/* Setup and teardown for cmocka. If SCREENING_TEST_POSTGRESQL=URL is not set, the state is NULL. */
int place_setup(void **state);
int place_teardown(void **state);

/* Returns the place of the test, or skips the test if there is none. */
struct place *place_of(void **state);

#define TEST_PLACE(test) cmocka_unit_test_setup_teardown(test, place_setup, place_teardown)

/* Makes an id from a small number. Tests refer to ids by such numbers. */
struct uuid test_id(uint32_t number);

struct sent_booking {
    uint32_t booking;  /* the number in the booking's id */
    uint32_t hospital; /* the number in the hospital's id */
    Screening__V1__BookingStatus status;
    int32_t day;
    const char *customer;
    uint64_t version;
    int64_t created_at_us;
    const char *reason;
};

/* Make events without a seq and with a new event_id, in the arena. */
Screening__V1__Event *make_booking_event(struct arena *arena, const struct sent_booking *sent);
Screening__V1__Event *make_hospital_registered(struct arena *arena, uint32_t hospital, const char *name);
/* Makes the event of a hospital deleted at noon on `day` in the clinic's time zone. */
Screening__V1__Event *make_hospital_deleted(struct arena *arena, uint32_t hospital, int32_t day);

/* Numbers the events and applies them as the log's next chunk, in one transaction. */
enum status place_apply(struct place *place, const char *log, Screening__V1__Event **events, size_t count,
                        struct error *error);

/* Like place_apply, for one booking event. Fails the test on an error. */
void place_apply_booking(struct place *place, const struct sent_booking *sent);

/* Returns the booking as readers see it, with status 0 if it is unknown. */
struct booking_view place_view(struct place *place, uint32_t booking);

#endif
