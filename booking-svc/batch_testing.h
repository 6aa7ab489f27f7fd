/*
 * A test harness for booking-svc's batches. It creates a database with the schema, runs single batches, and
 * freezes the clock.
 */
#ifndef SCREENING_BOOKING_SVC_BATCH_TESTING_H
#define SCREENING_BOOKING_SVC_BATCH_TESTING_H

#include "batch.h"

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "base/uuid.h"
#include "db/db.h"

enum { STAGE_COMMANDS_MAX = 600, STAGE_TODAY = 20788 }; /* STAGE_TODAY is 2026-12-01 */

/* The frozen time of all tests, and the hospital of all bookings. */
extern const int64_t STAGE_NOW_US;
extern const struct uuid STAGE_HOSPITAL_ID;

/* A database, a batch to run on it, and the commands for the batch. */
struct stage {
    struct db *db;
    struct event_log *log;
    struct batch *batch;
    struct arena arena; /* holds the commands */
    struct writer_command *queue[STAGE_COMMANDS_MAX];
    size_t count;
};

/* Freezes the clock. Call stage_stop_clock first in main. */
void stage_stop_clock(void);

/* Opens the stage on the database of `state`. Skips the test if there is no database. */
void stage_open(struct stage *stage, void **state);
void stage_close(struct stage *stage);

/* Add a command for booking `number` to the next batch. The commands stay valid until stage_close. */
struct booking_command *stage_add(struct stage *stage, enum command_kind kind, uint16_t number);
struct booking_command *stage_add_create(struct stage *stage, uint16_t number);
struct booking_command *stage_add_settle(struct stage *stage, uint16_t number,
                                         enum placement_outcome outcome);

/* Applies the batch and leaves its transaction open. Returns the status of the batch. */
enum status stage_apply(struct stage *stage, struct error *error);
/* Applies and commits the batch, and starts an empty one. Fails the test if the batch fails. */
void stage_run(struct stage *stage);

#endif
