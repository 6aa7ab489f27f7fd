/*
 * Prints a command's result on stdout: a table for people, or one document with --json. Functions that return
 * int return an exit code.
 */
#ifndef SCREENING_CLI_OUTPUT_H
#define SCREENING_CLI_OUTPUT_H

#include "session.h"
#include "table.h"

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

#include "screening/v1/history.pb-c.h"

/* Prints the message as canonical proto3 JSON with default values, on one line unless on a terminal. */
int output_message(const ProtobufCMessage *message);

/*
 * Like output_message, for a document that is not a message. Takes ownership of `document`, which is NULL
 * when out of memory.
 */
int output_document(json_t *document);

/* Like output_document, but on one line even on a terminal. For endless lists. */
int output_line(json_t *document);

/* Like output_message, for several messages under `name`, as {"NAME": [...]}. Skips NULL. */
int output_messages(const char *name, const ProtobufCMessage *const *messages, size_t count);

/* Prints the table for people, limited to the terminal's width. */
int output_table(struct table *table);

/*
 * Like output_table, for a list. Prints CSV with --csv. Without rows, prints the line `none` instead of a
 * heading.
 */
int output_list(const struct session *session, struct table *table, const char *none);

/* Starts a table of the names and values of one object, one pair per line. */
void output_begin_pairs(struct table *table, struct session *session);
void output_pair(struct table *table, const char *name, const char *value);
void output_pair_number(struct table *table, const char *name, uint64_t value);

/* Shows how far history-svc has followed the logs. output_fill_projection leaves printing to the caller. */
void output_fill_projection(struct table *table, struct session *session,
                            const Screening__V1__GetProjectionStatusResponse *status);
int output_projection(struct session *session, const Screening__V1__GetProjectionStatusResponse *status);

/*
 * Returns an instant as "2026-12-01 09:30:00" at the clinic, or "-" if it is absent. The text lives in the
 * session's arena.
 */
const char *output_instant(struct session *session, const Google__Protobuf__Timestamp *instant);

/* Returns the status in the user's language. */
const char *output_booking_status(Screening__V1__BookingStatus status);

/*
 * Returns the reason for the booking's status. Translates the services' codes and keeps free text unchanged.
 */
const char *output_reason(Screening__V1__BookingStatus status, const char *reason);

/* Returns the user's format for `count`, for "1 booking" or "2 bookings". Its argument is a size_t. */
const char *output_plural(size_t count, const char *one, const char *many)
    __attribute__((format_arg(2), format_arg(3)));

#endif
