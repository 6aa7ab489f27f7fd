#include "output.h"

#include "client.h"
#include "date.h"
#include "message.h"
#include "terminal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "protojson/protojson.h"

#include "screening/v1/words.h"

int output_message(const ProtobufCMessage *message)
{
    struct error error;
    char *text;
    unsigned layout = isatty(STDOUT_FILENO) ? PROTOJSON_INDENT : 0;
    if (protojson_message_to_text(message, PROTOJSON_EMIT_DEFAULTS | layout, &text, &error) != STATUS_OK)
        return client_fail(&error);
    puts(text);
    free(text);
    return EXIT_DONE;
}

static int print_document(json_t *document, size_t layout)
{
    char *text = document == NULL ? NULL : json_dumps(document, layout);
    json_decref(document);
    if (text == NULL)
        return client_fail_memory();
    puts(text);
    free(text);
    return EXIT_DONE;
}

int output_document(json_t *document)
{
    return print_document(document, isatty(STDOUT_FILENO) ? JSON_INDENT(2) : JSON_COMPACT);
}

int output_line(json_t *document)
{
    return print_document(document, JSON_COMPACT);
}

int output_messages(const char *name, const ProtobufCMessage *const *messages, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        struct error error;
        json_t *item;
        if (messages[i] == NULL)
            continue;
        if (protojson_from_message(messages[i], PROTOJSON_EMIT_DEFAULTS, &item, &error) != STATUS_OK) {
            json_decref(list);
            return client_fail(&error);
        }
        json_array_append_new(list, item);
    }
    return output_document(json_pack("{s:o}", name, list));
}

int output_table(struct table *table)
{
    table->width_max = terminal_columns();
    return table_print(table, stdout) ? EXIT_DONE : client_fail_memory();
}

int output_list(const struct session *session, struct table *table, const char *none)
{
    if (session->csv)
        return table_print_csv(table, stdout) ? EXIT_DONE : client_fail_memory();
    if (table_row_count(table) == 0 && !table->out_of_memory) {
        puts(message(none));
        return EXIT_DONE;
    }
    return output_table(table);
}

const char *output_plural(size_t count, const char *one, const char *many)
{
    return message(count == 1 ? one : many);
}

void output_begin_pairs(struct table *table, struct session *session)
{
    static const struct table_column columns[] = {{NULL, false}, {NULL, false}};
    table_init(table, &session->arena, columns, 2);
}

void output_pair(struct table *table, const char *name, const char *value)
{
    table_text(table, message(name));
    table_text(table, value);
}

void output_pair_number(struct table *table, const char *name, uint64_t value)
{
    table_text(table, message(name));
    table_number(table, value);
}

void output_begin_booking(struct table *table, struct session *session, const Screening__V1__Booking *booking)
{
    const char *reason = booking->status_reason;
    output_begin_pairs(table, session);
    output_pair(table, "booking", booking->booking_id);
    output_pair(table, "status", output_booking_status(booking->status));
    output_pair(table, "reason", reason[0] != '\0' ? output_reason(booking->status, reason) : "-");
}

void output_fill_projection(struct table *table, struct session *session,
                            const Screening__V1__GetProjectionStatusResponse *status)
{
    static const struct table_column columns[] = {{N_("LOG"), false},    {N_("STATE"), false},
                                                  {N_("APPLIED"), true}, {N_("HEAD"), true},
                                                  {N_("LAG MS"), true},  {N_("DEAD LETTERS"), true}};
    table_init(table, &session->arena, columns, COUNT_OF(columns));
    for (size_t i = 0; i < status->n_logs; i++) {
        table_text(table, status->logs[i]->log);
        table_text(table, message(status->logs[i]->state));
        table_number(table, status->logs[i]->applied_seq);
        table_number(table, status->logs[i]->head_seq);
        /* A diverged log lacks events that history-svc has applied, so a lag would be meaningless. */
        if (strcmp(status->logs[i]->state, SCREENING_LOG_STATE_DIVERGED) == 0)
            table_text(table, "-");
        else
            table_number(table, status->logs[i]->lag_ms);
        table_number(table, status->logs[i]->dead_letters);
    }
}

int output_projection(struct session *session, const Screening__V1__GetProjectionStatusResponse *status)
{
    struct table table;
    output_fill_projection(&table, session, status);
    return output_table(&table);
}

const char *output_instant(struct session *session, const Google__Protobuf__Timestamp *instant)
{
    char text[DATE_TIME_SIZE];
    if (instant == NULL)
        return "-";
    const char *out = arena_strdup(&session->arena, date_time_format(instant->seconds, text));
    return out == NULL ? "-" : out;
}

const char *output_booking_status(Screening__V1__BookingStatus status)
{
    const ProtobufCEnumValue *value =
        protobuf_c_enum_descriptor_get_value(&screening__v1__booking_status__descriptor, (int)status);
    return value == NULL ? "UNRECOGNISED" : message(value->name);
}

const char *output_reason(Screening__V1__BookingStatus status, const char *reason)
{
    bool ours = status == SCREENING__V1__BOOKING_STATUS__REJECTED ||
                status == SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED;
    return ours ? message(reason) : reason;
}
