/* screenctl booking trace: shows a booking, its events in history-svc, and history-svc's progress */
#include "client.h"
#include "command.h"
#include "message.h"
#include "output.h"

#include <stdio.h>
#include <string.h>

#include "protojson/protojson.h"

#include "screening/v1/booking.pb-c.h"
#include "screening/v1/history.pb-c.h"
#include "screening/v1/words.h"

struct trace {
    const Screening__V1__Booking *booking;
    Screening__V1__HistoryEntry **entries;
    size_t entry_count;
    const Screening__V1__GetProjectionStatusResponse *projection;
    bool caught_up; /* whether history-svc has this or a later version of the booking */
};

/* ---- requests ---- */

/*
 * Requests the history's entries. There are none if history-svc does not know the booking yet. Returns false
 * after printing an error.
 */
static bool ask_entries(struct session *session, struct trace *trace)
{
    Screening__V1__GetBookingHistoryRequest request = SCREENING__V1__GET_BOOKING_HISTORY_REQUEST__INIT;
    struct error error;
    request.booking_id = trace->booking->booking_id;
    const Screening__V1__GetBookingHistoryResponse *history =
        client_call(session, "GetBookingHistory", &request.base, &error);
    if (history == NULL && error.status == STATUS_NOT_FOUND)
        return true;
    if (history == NULL) {
        client_fail(&error);
        return false;
    }
    trace->entries = history->entries;
    trace->entry_count = history->n_entries;
    return true;
}

/*
 * Requests everything, the booking first. If the booking changes between the requests, history-svc may have a
 * later version than the one shown, but never appears to lag behind. Returns false after printing an error.
 */
static bool ask_all(struct session *session, char *booking_id, struct trace *trace)
{
    Screening__V1__GetBookingRequest get = SCREENING__V1__GET_BOOKING_REQUEST__INIT;
    Screening__V1__GetProjectionStatusRequest status = SCREENING__V1__GET_PROJECTION_STATUS_REQUEST__INIT;
    get.booking_id = booking_id;
    trace->booking = client_ask(session, "GetBooking", &get.base);
    if (trace->booking == NULL || !ask_entries(session, trace))
        return false;
    trace->projection = client_ask(session, "GetProjectionStatus", &status.base);
    for (size_t i = 0; i < trace->entry_count; i++)
        trace->caught_up = trace->caught_up || trace->entries[i]->version >= trace->booking->version;
    return trace->projection != NULL;
}

/* ---- output ---- */

static bool append(json_t *list, const ProtobufCMessage *message)
{
    struct error error;
    json_t *item;
    if (protojson_from_message(message, PROTOJSON_EMIT_DEFAULTS, &item, &error) != STATUS_OK) {
        client_fail(&error);
        return false;
    }
    return json_array_append_new(list, item) == 0;
}

static int show_json(const struct trace *trace)
{
    json_t *booking = json_array(), *entries = json_array(), *logs = json_array();
    bool whole = append(booking, &trace->booking->base);
    for (size_t i = 0; whole && i < trace->entry_count; i++)
        whole = append(entries, &trace->entries[i]->base);
    for (size_t i = 0; whole && i < trace->projection->n_logs; i++)
        whole = append(logs, &trace->projection->logs[i]->base);
    json_t *document = json_pack("{s:O?, s:o, s:o, s:b}", "booking", json_array_get(booking, 0), "entries",
                                 entries, "logs", logs, "caughtUp", trace->caught_up);
    json_decref(booking);
    if (!whole) {
        json_decref(document);
        return EXIT_FAILED;
    }
    return output_document(document);
}

/* Returns the event type for the status, or "-" if there is none. Each status has its own type. */
static const char *event_type(Screening__V1__BookingStatus status)
{
    static const char *const TYPES[] = {
        [SCREENING__V1__BOOKING_STATUS__REQUESTED] = SCREENING_EVENT_BOOKING_REQUESTED,
        [SCREENING__V1__BOOKING_STATUS__CONFIRMED] = SCREENING_EVENT_BOOKING_CONFIRMED,
        [SCREENING__V1__BOOKING_STATUS__REJECTED] = SCREENING_EVENT_BOOKING_REJECTED,
        [SCREENING__V1__BOOKING_STATUS__CANCELLED] = SCREENING_EVENT_BOOKING_CANCELLED,
        [SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED] = SCREENING_EVENT_BOOKING_FORCE_CANCELLED,
    };
    return status > 0 && (size_t)status < sizeof TYPES / sizeof TYPES[0] ? TYPES[status] : "-";
}

static int show_entries(struct session *session, const struct trace *trace)
{
    static const struct table_column columns[] = {
        {N_("VERSION"), true}, {N_("STATUS"), false}, {N_("REASON"), false}, {N_("WHEN"), false},
        {N_("EVENT"), false},  {N_("LOG"), false},    {N_("SEQ"), true},     {N_("EVENT ID"), false}};
    struct table table;
    table_init(&table, &session->arena, columns, COUNT_OF(columns));
    table.layout = (struct table_layout){.if_filled = TABLE_COLUMN(2),
                                         .ids = TABLE_COLUMN(7),
                                         .optional = TABLE_COLUMN(4) | TABLE_COLUMN(7),
                                         .flexible = TABLE_COLUMN(2)};
    for (size_t i = 0; i < trace->entry_count; i++) {
        const Screening__V1__HistoryEntry *entry = trace->entries[i];
        table_number(&table, entry->version);
        table_text(&table, output_booking_status(entry->status));
        table_text(&table, output_reason(entry->status, entry->reason));
        table_text(&table, output_instant(session, entry->occurred_at));
        table_text(&table, event_type(entry->status));
        table_text(&table, entry->source);
        table_number(&table, entry->seq);
        table_text(&table, entry->event_id);
    }
    return output_table(&table);
}

static int show_booking(struct session *session, const struct trace *trace)
{
    const Screening__V1__Booking *booking = trace->booking;
    struct table table;
    output_begin_booking(&table, session, booking);
    output_pair_number(&table, "version", booking->version);
    output_pair(&table, "in history",
                trace->caught_up ? _("up to this version") : _("not yet up to this version"));
    return output_table(&table);
}

static int show(struct session *session, const struct trace *trace)
{
    int exit_code = show_booking(session, trace);
    putchar('\n');
    if (exit_code == EXIT_DONE) {
        exit_code = show_entries(session, trace);
        putchar('\n');
    }
    return exit_code == EXIT_DONE ? output_projection(session, trace->projection) : exit_code;
}

static int booking_trace(struct session *session, const struct command *command, int argc, char **argv)
{
    char *booking_id = NULL;
    struct trace trace = {.booking = NULL};
    const struct argument arguments[] = {{"BOOKING_ID", &booking_id, ARGUMENT_TEXT, true}};
    int exit_code;
    if (!command_read(session, command, arguments, 1, argc, argv, &exit_code))
        return exit_code;
    if (!ask_all(session, booking_id, &trace))
        return EXIT_FAILED;
    return session->json ? show_json(&trace) : show(session, &trace);
}

const struct command BOOKING_TRACE = {
    "booking", "trace", "BOOKING_ID",
    N_("shows a booking's states, their events, and how far each log has been applied"), booking_trace};
