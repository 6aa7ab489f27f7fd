/*
 * A test harness for hospital-svc's batches. It creates a database with the schema, runs single batches, and
 * freezes the clock.
 */
#ifndef SCREENING_HOSPITAL_SVC_BATCH_TESTING_H
#define SCREENING_HOSPITAL_SVC_BATCH_TESTING_H

#include "batch.h"
#include "command.h"

#include "base/arena.h"
#include "base/civil.h"
#include "base/unit_testing.h"
#include "db/db_testing.h"
#include "events/follower.h"

#include "screening/v1/event.pb-c.h"

enum { STAGE_COMMANDS_MAX = 16 };

/* The hospital of all commands, unless a test overrides it. */
extern const struct uuid STAGE_HOSPITAL_ID;

/* The frozen time of all tests, and the civil date at that time in the clinic's time zone. */
extern const int64_t STAGE_NOW_US;
extern int32_t stage_today;

/* Freezes the clock. Call stage_stop_clock first in main. */
void stage_stop_clock(void);

struct stage {
    struct fixture *fixture;
    struct db *db;
    struct event_log *log;
    struct batch *batch;
    struct arena arena; /* holds the calls */
    struct command commands[STAGE_COMMANDS_MAX];
    struct writer_command *queue[STAGE_COMMANDS_MAX];
    size_t count;
};

/* Opens the stage on the database of `state`, with a paired era. Skips the test if there is no database. */
void stage_open(struct stage *stage, void **state);
void stage_close(struct stage *stage);

/* Marks the current era as paired, without calling booking-svc. */
enum { STAGE_BOOKING_ERA = 77 };
void stage_pair(struct stage *stage);

/* Adds a command to the batch. The command stays valid until the first stage_add after stage_run. */
struct command *stage_add(struct stage *stage, enum command_kind kind);
/*
 * Adds a command that registers a hospital with one day: today, with `capacity` places. The digest begins
 * with 7.
 */
struct command *stage_add_registration(struct stage *stage, uint32_t capacity);
struct command *stage_add_capacity(struct stage *stage, int32_t date, uint32_t capacity);
struct command *stage_add_deletion(struct stage *stage);
/* Adds a command that reserves one place today for each of the bookings first, first + 1, ... */
struct reserve_item *stage_add_reserves(struct stage *stage, uint8_t first, size_t count);

/* A chunk of the booking log with one event, about one booking. */
struct sent_event {
    struct event_chunk chunk;
    Screening__V1__Event event, *events;
    Screening__V1__Booking booking;
    char booking_id[UUID_TEXT_SIZE], hospital_id[UUID_TEXT_SIZE], event_id[UUID_TEXT_SIZE];
    char date[CIVIL_TEXT_SIZE];
};
void stage_make_event(struct sent_event *sent, uint64_t seq, const char *type, uint8_t booking);
void stage_add_event(struct stage *stage, struct sent_event *sent);

/* Applies the batch and leaves its transaction open. Returns the status of the batch. */
enum status stage_apply(struct stage *stage, struct error *error);
/* Applies and commits the batch, and starts an empty one. Fails the test if the batch fails. */
void stage_run(struct stage *stage);

/* Returns the single number that a statement without parameters selects. */
int64_t stage_number(struct stage *stage, const struct db_statement *statement);

#endif
