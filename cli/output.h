/* What a command answers on stdout: for people a table, with --json one document. All return an exit code. */
#ifndef SCREENING_CLI_OUTPUT_H
#define SCREENING_CLI_OUTPUT_H

#include "session.h"
#include "table.h"

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

#include "screening/v1/history.pb-c.h"

/* The message as canonical proto3 JSON, with its default values; indented on a terminal, else one line. */
int output_message(const ProtobufCMessage *message);

/* The same for a document that is no message. Takes `document` over; NULL = out of memory. */
int output_document(json_t *document);

/* The same on one line, also on a terminal: for lists without an end. */
int output_line(json_t *document);

/*
 * The same for several messages, under `name`: {"NAME": [...]}. A NULL among them is left out.
 */
int output_messages(const char *name, const ProtobufCMessage *const *messages, size_t count);

/* The table for people, as wide as the terminal allows. */
int output_table(struct table *table);

/* The same for a list: with --csv as CSV; without rows the line `none` instead of a heading. */
int output_list(const struct session *session, struct table *table, const char *none);

/* Names and values of one thing, one pair a line. */
void output_begin_pairs(struct table *table, struct session *session);
void output_pair(struct table *table, const char *name, const char *value);
void output_pair_number(struct table *table, const char *name, uint64_t value);

/* How far history-svc has followed the logs: as a table that is yet to be printed, and printed. */
void output_fill_projection(struct table *table, struct session *session,
                            const Screening__V1__GetProjectionStatusResponse *status);
int output_projection(struct session *session, const Screening__V1__GetProjectionStatusResponse *status);

/* An instant as "2026-12-01 09:30:00" at the clinic, "-" if absent; lives in the session's arena. */
const char *output_instant(struct session *session, const Google__Protobuf__Timestamp *instant);

/* The status in the reader's language. */
const char *output_booking_status(Screening__V1__BookingStatus status);

/* Why the booking has its status: a word of the services in the reader's language, people's words as they
 * are. */
const char *output_reason(Screening__V1__BookingStatus status, const char *reason);

/* "1 booking", "2 bookings": the format that `count` wants, in the reader's language. Its argument is a
 * size_t. */
const char *output_plural(size_t count, const char *one, const char *many)
    __attribute__((format_arg(2), format_arg(3)));

#endif
