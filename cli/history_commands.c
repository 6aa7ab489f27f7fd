/* screenctl history customer|booking, screenctl projection: show histories, and how current they are */
#include "client.h"
#include "command.h"
#include "message.h"
#include "output.h"
#include "pages.h"

#include "screening/v1/history.pb-c.h"

/* Returns the status to show. Marks a provisional status, to be confirmed by the booking's own event. */
static const char *shown_status(struct session *session, const Screening__V1__BookingSummary *summary)
{
    const char *status = output_booking_status(summary->booking->status);
    const char *shown =
        summary->provisional ? arena_printf(&session->arena, _("%s (provisional)"), status) : status;
    return shown == NULL ? status : shown;
}

static int show_summaries(struct session *session, const Screening__V1__ListCustomerHistoryResponse *list)
{
    static const struct table_column columns[] = {
        {N_("BOOKING"), false}, {N_("DATE"), false},   {N_("HOSPITAL"), false}, {N_("PEOPLE"), true},
        {N_("STATUS"), false},  {N_("REASON"), false}, {N_("UPDATED"), false}};
    struct table table;
    table_init(&table, &session->arena, columns, COUNT_OF(columns));
    table.layout = (struct table_layout){.if_filled = TABLE_COLUMN(5),
                                         .optional = TABLE_COLUMN(5) | TABLE_COLUMN(6),
                                         .flexible = TABLE_COLUMN(2) | TABLE_COLUMN(5)};
    for (size_t i = 0; i < list->n_bookings; i++) {
        const Screening__V1__BookingSummary *summary = list->bookings[i];
        if (summary->booking == NULL)
            continue;
        table_text(&table, summary->booking->booking_id);
        table_text(&table, summary->booking->date);
        table_text(&table, summary->hospital_name);
        table_number(&table, summary->booking->headcount);
        table_text(&table, shown_status(session, summary));
        table_text(&table, output_reason(summary->booking->status, summary->booking->status_reason));
        table_text(&table, output_instant(session, summary->booking->updated_at));
    }
    return output_list(session, &table, N_("no bookings"));
}

static int show_entries(struct session *session, const Screening__V1__GetBookingHistoryResponse *history)
{
    static const struct table_column columns[] = {{N_("VERSION"), true}, {N_("STATUS"), false},
                                                  {N_("REASON"), false}, {N_("WHEN"), false},
                                                  {N_("LOG"), false},    {N_("SEQ"), true}};
    struct table table;
    table_init(&table, &session->arena, columns, COUNT_OF(columns));
    for (size_t i = 0; i < history->n_entries; i++) {
        const Screening__V1__HistoryEntry *entry = history->entries[i];
        table_number(&table, entry->version);
        table_text(&table, output_booking_status(entry->status));
        table_text(&table, output_reason(entry->status, entry->reason));
        table_text(&table, output_instant(session, entry->occurred_at));
        table_text(&table, entry->source);
        table_number(&table, entry->seq);
    }
    return output_table(&table);
}

static int show_history(struct session *session, const Screening__V1__GetBookingHistoryResponse *history)
{
    const Screening__V1__BookingSummary *summary = history->summary;
    if (summary != NULL && summary->booking != NULL) {
        struct table table;
        output_begin_pairs(&table, session);
        output_pair(&table, "booking", summary->booking->booking_id);
        output_pair(&table, "status", shown_status(session, summary));
        output_pair(&table, "customer", summary->booking->customer_id);
        output_pair(&table, "name", summary->booking->customer_name);
        output_pair(&table, "hospital", summary->hospital_name);
        output_pair(&table, "date", summary->booking->date);
        output_pair_number(&table, "headcount", summary->booking->headcount);
        int exit_code = output_table(&table);
        if (exit_code != EXIT_DONE)
            return exit_code;
        putchar('\n');
    }
    return show_entries(session, history);
}

static int history_customer(struct session *session, const struct command *command, int argc, char **argv)
{
    Screening__V1__ListCustomerHistoryRequest request = SCREENING__V1__LIST_CUSTOMER_HISTORY_REQUEST__INIT;
    const struct argument arguments[] = {
        {"CUSTOMER_ID", &request.customer_id, ARGUMENT_TEXT, true},
        {"--status", &request.status, ARGUMENT_STATUS, false},
        {"--from", &request.from_date, ARGUMENT_DATE, false},
        {"--to", &request.to_date, ARGUMENT_DATE, false},
        {"--csv", &session->csv, ARGUMENT_SWITCH, false},
    };
    int exit_code;
    if (!command_read(session, command, arguments, COUNT_OF(arguments), argc, argv, &exit_code))
        return exit_code;
    const Screening__V1__ListCustomerHistoryResponse *bookings =
        pages_ask(session, "ListCustomerHistory", "bookings", &request.base);
    if (bookings == NULL)
        return EXIT_FAILED;
    return session->json ? output_message(&bookings->base) : show_summaries(session, bookings);
}

const struct command HISTORY_CUSTOMER = {"history", "customer",
                                         "CUSTOMER_ID [--status STATUS] [--from DATE] [--to DATE] [--csv]",
                                         N_("lists what a customer booked, newest first"), history_customer};

static int history_booking(struct session *session, const struct command *command, int argc, char **argv)
{
    Screening__V1__GetBookingHistoryRequest request = SCREENING__V1__GET_BOOKING_HISTORY_REQUEST__INIT;
    const struct argument arguments[] = {{"BOOKING_ID", &request.booking_id, ARGUMENT_TEXT, true}};
    int exit_code;
    if (!command_read(session, command, arguments, COUNT_OF(arguments), argc, argv, &exit_code))
        return exit_code;
    const Screening__V1__GetBookingHistoryResponse *history =
        client_ask(session, "GetBookingHistory", &request.base);
    if (history == NULL)
        return EXIT_FAILED;
    return session->json ? output_message(&history->base) : show_history(session, history);
}

const struct command HISTORY_BOOKING = {"history", "booking", "BOOKING_ID",
                                        N_("shows the history of a booking"), history_booking};

static int history_projection(struct session *session, const struct command *command, int argc, char **argv)
{
    Screening__V1__GetProjectionStatusRequest request = SCREENING__V1__GET_PROJECTION_STATUS_REQUEST__INIT;
    int exit_code;
    if (!command_read(session, command, NULL, 0, argc, argv, &exit_code))
        return exit_code;
    const Screening__V1__GetProjectionStatusResponse *status =
        client_ask(session, "GetProjectionStatus", &request.base);
    if (status == NULL)
        return EXIT_FAILED;
    return session->json ? output_message(&status->base) : output_projection(session, status);
}

const struct command HISTORY_PROJECTION = {
    "projection", NULL, "", N_("shows how far history-svc has applied each log"), history_projection};
