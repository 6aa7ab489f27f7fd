/* screenctl booking show|list|cancel */
#include "client.h"
#include "command.h"
#include "message.h"
#include "output.h"
#include "pages.h"

#include <stdio.h>

#include "screening/v1/booking.pb-c.h"

int booking_output(struct session *session, const Screening__V1__Booking *booking)
{
    if (booking == NULL)
        return EXIT_FAILED;
    if (session->json)
        return output_message(&booking->base);
    struct table table;
    output_begin_booking(&table, session, booking);
    output_pair(&table, "customer", booking->customer_id);
    output_pair(&table, "name", booking->customer_name);
    output_pair(&table, "hospital", booking->hospital_id);
    output_pair(&table, "date", booking->date);
    output_pair_number(&table, "headcount", booking->headcount);
    output_pair(&table, "created", output_instant(session, booking->created_at));
    output_pair(&table, "updated", output_instant(session, booking->updated_at));
    output_pair_number(&table, "version", booking->version);
    return output_table(&table);
}

/* Prints the numbers of confirmed bookings and of people to expect. */
static void print_who_comes(struct session *session, const Screening__V1__ListBookingsResponse *list)
{
    size_t bookings = 0, people = 0;
    for (size_t i = 0; i < list->n_bookings; i++) {
        if (list->bookings[i]->status == SCREENING__V1__BOOKING_STATUS__CONFIRMED) {
            bookings++;
            people += list->bookings[i]->headcount;
        }
    }
    const char *counted = arena_printf(
        &session->arena, output_plural(bookings, N_("%zu confirmed booking"), N_("%zu confirmed bookings")),
        bookings);
    const char *persons =
        arena_printf(&session->arena, output_plural(people, N_("%zu person"), N_("%zu people")), people);
    if (counted != NULL && persons != NULL)
        printf(_("\n%s for %s\n"), counted, persons);
}

/* Shows bookings. Hides the columns that the request restricts to one value. */
static int show_bookings(struct session *session, const Screening__V1__ListBookingsRequest *asked,
                         const Screening__V1__ListBookingsResponse *list)
{
    enum { BOOKING, DATE, CUSTOMER, NAME, HOSPITAL, HEADCOUNT, STATUS, REASON };
    static const struct table_column columns[] = {
        {N_("BOOKING"), false},  {N_("DATE"), false},  {N_("CUSTOMER"), false}, {N_("NAME"), false},
        {N_("HOSPITAL"), false}, {N_("PEOPLE"), true}, {N_("STATUS"), false},   {N_("REASON"), false}};
    struct table table;
    table_init(&table, &session->arena, columns, COUNT_OF(columns));
    table.layout = (struct table_layout){
        .hidden = (asked->date[0] != '\0' ? TABLE_COLUMN(DATE) : 0) |
                  (asked->status != 0 ? TABLE_COLUMN(STATUS) : 0) |
                  (asked->hospital_id[0] != '\0' ? TABLE_COLUMN(HOSPITAL)
                                                 : TABLE_COLUMN(CUSTOMER) | TABLE_COLUMN(NAME)),
        .if_filled = TABLE_COLUMN(REASON),
        .ids = TABLE_COLUMN(HOSPITAL),
        .optional = TABLE_COLUMN(REASON),
        .flexible = TABLE_COLUMN(CUSTOMER) | TABLE_COLUMN(NAME) | TABLE_COLUMN(REASON)};
    for (size_t i = 0; i < list->n_bookings; i++) {
        const Screening__V1__Booking *booking = list->bookings[i];
        table_text(&table, booking->booking_id);
        table_text(&table, booking->date);
        table_text(&table, booking->customer_id);
        table_text(&table, booking->customer_name);
        table_text(&table, booking->hospital_id);
        table_number(&table, booking->headcount);
        table_text(&table, output_booking_status(booking->status));
        table_text(&table, output_reason(booking->status, booking->status_reason));
    }
    return output_list(session, &table, N_("no bookings"));
}

static int booking_show(struct session *session, const struct command *command, int argc, char **argv)
{
    Screening__V1__GetBookingRequest request = SCREENING__V1__GET_BOOKING_REQUEST__INIT;
    const struct argument arguments[] = {{"BOOKING_ID", &request.booking_id, ARGUMENT_TEXT, true}};
    int exit_code;
    if (!command_read(session, command, arguments, COUNT_OF(arguments), argc, argv, &exit_code))
        return exit_code;
    return booking_output(session, client_ask(session, "GetBooking", &request.base));
}

const struct command BOOKING_SHOW = {"booking", "show", "BOOKING_ID", N_("shows a booking"), booking_show};

static int booking_list(struct session *session, const struct command *command, int argc, char **argv)
{
    Screening__V1__ListBookingsRequest request = SCREENING__V1__LIST_BOOKINGS_REQUEST__INIT;
    protobuf_c_boolean all = false;
    const struct argument arguments[] = {
        {"--customer", &request.customer_id, ARGUMENT_TEXT, false},
        {"--hospital", &request.hospital_id, ARGUMENT_HOSPITAL, false},
        {"--date", &request.date, ARGUMENT_DATE, false},
        {"--status", &request.status, ARGUMENT_STATUS, false},
        {"--all", &all, ARGUMENT_SWITCH, false},
        {"--csv", &session->csv, ARGUMENT_SWITCH, false},
    };
    int exit_code;
    if (!command_read(session, command, arguments, COUNT_OF(arguments), argc, argv, &exit_code))
        return exit_code;
    bool of_hospital = request.hospital_id[0] != '\0';
    if ((request.customer_id[0] != '\0') == of_hospital)
        return usage_error(command, "exactly one of --customer and --hospital must be given");
    if (all && request.status != 0)
        return usage_error(command, "only one of --all and --status may be given");
    /* By default, list only confirmed bookings. With --json, which programs use, list all bookings. */
    if (of_hospital && !all && request.status == 0 && !session->json)
        request.status = SCREENING__V1__BOOKING_STATUS__CONFIRMED;
    const Screening__V1__ListBookingsResponse *bookings =
        pages_ask(session, "ListBookings", "bookings", &request.base);
    if (bookings == NULL)
        return EXIT_FAILED;
    if (session->json)
        return output_message(&bookings->base);
    exit_code = show_bookings(session, &request, bookings);
    if (exit_code == EXIT_DONE && of_hospital && !session->csv && bookings->n_bookings > 0)
        print_who_comes(session, bookings);
    return exit_code;
}

const struct command BOOKING_LIST = {
    "booking", "list",
    "(--customer ID | --hospital HOSPITAL) [--date DATE] [--status STATUS | --all] [--csv]",
    N_("lists the bookings of a customer or of a hospital; --all: not only CONFIRMED ones"), booking_list};

static int booking_cancel(struct session *session, const struct command *command, int argc, char **argv)
{
    Screening__V1__CancelBookingRequest request = SCREENING__V1__CANCEL_BOOKING_REQUEST__INIT;
    const struct argument arguments[] = {
        {"BOOKING_ID", &request.booking_id, ARGUMENT_TEXT, true},
        {"--reason", &request.reason, ARGUMENT_TEXT, false},
    };
    int exit_code;
    if (!command_read(session, command, arguments, COUNT_OF(arguments), argc, argv, &exit_code))
        return exit_code;
    return booking_output(session, client_ask(session, "CancelBooking", &request.base));
}

const struct command BOOKING_CANCEL = {"booking", "cancel", "BOOKING_ID [--reason TEXT]",
                                       N_("cancels a booking"), booking_cancel};
