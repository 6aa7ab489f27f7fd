/*
 * Prints a command's result on stdout: a table or, with --json, one document. Functions that return int
 * return an exit code.
 */
#ifndef SCREENING_CLI_OUTPUT_H
#define SCREENING_CLI_OUTPUT_H

#include "session.h"
#include "table.h"

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

#include "screening/v1/history.pb-c.h"

/*
 * Prints the message as canonical proto3 JSON with default values, on one line if stdout is not a terminal.
 */
int output_message(const ProtobufCMessage *message);

/*
 * Like output_message, for a document that is not a message. Takes ownership of `document`. NULL means that
 * the caller ran out of memory.
 */
int output_document(json_t *document);

/* Like output_document, but on one line even on a terminal. Use it for endless lists. */
int output_line(json_t *document);

/* Like output_message, for several messages under `name`, as {"NAME": [...]}. Skips NULL messages. */
int output_messages(const char *name, const ProtobufCMessage *const *messages, size_t count);

/* Prints a table that is at most as wide as the terminal. */
int output_table(struct table *table);

/*
 * Like output_table, for a list. With --csv, prints CSV. Otherwise, if there are no rows, prints the line
 * `none` instead of a heading.
 */
int output_list(const struct session *session, struct table *table, const char *none);

/* Starts a table of the names and values of one object, one pair per line. */
void output_begin_pairs(struct table *table, struct session *session);
void output_pair(struct table *table, const char *name, const char *value);
void output_pair_number(struct table *table, const char *name, uint64_t value);

/* Like output_begin_pairs, with the first pairs of a booking: its id, its status and the status reason. */
void output_begin_booking(struct table *table, struct session *session,
                          const Screening__V1__Booking *booking);

/*
 * Show how far history-svc has applied the logs. output_fill_projection only fills the table;
 * output_projection prints it.
 */
void output_fill_projection(struct table *table, struct session *session,
                            const Screening__V1__GetProjectionStatusResponse *status);
int output_projection(struct session *session, const Screening__V1__GetProjectionStatusResponse *status);

/*
 * Returns an instant as "2026-12-01 09:30:00" in the clinic's time zone, or "-" if it is absent. The text
 * lives in the session's arena.
 */
const char *output_instant(struct session *session, const Google__Protobuf__Timestamp *instant);

/* Returns the status in the user's language. */
const char *output_booking_status(Screening__V1__BookingStatus status);

/*
 * Returns the reason for the booking's status. Translates the services' codes and keeps free text unchanged.
 */
const char *output_reason(Screening__V1__BookingStatus status, const char *reason);

/*
 * Returns `one` or `many`, depending on `count`, in the user's language. Both are formats that take a size_t,
 * such as "%zu booking" and "%zu bookings".
 */
const char *output_plural(size_t count, const char *one, const char *many)
    __attribute__((format_arg(2), format_arg(3)));

#endif
