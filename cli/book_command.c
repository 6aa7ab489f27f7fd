/* screenctl book: makes a booking, or shows why that is impossible and which days have room */
#include "client.h"
#include "command.h"
#include "message.h"
#include "output.h"

#include <stdio.h>
#include <string.h>

#include "screening/v1/booking.pb-c.h"
#include "screening/v1/hospital.pb-c.h"
#include "screening/v1/words.h"

/*
 * Returns the first days with enough room, such as "2026-12-03 (40), 2026-12-04 (7)", or "" if there are
 * none.
 */
static const char *free_days(struct session *session, const Screening__V1__GetAvailabilityResponse *days,
                             uint32_t headcount)
{
    enum { SHOWN_MAX = 3 };
    const char *text = "";
    int shown = 0;
    for (size_t i = 0; i < days->n_days && shown < SHOWN_MAX && text != NULL; i++) {
        if (days->days[i]->remaining >= headcount) {
            text = arena_printf(&session->arena, "%s%s%s (%u)", text, shown > 0 ? ", " : "",
                                days->days[i]->date, days->days[i]->remaining);
            shown++;
        }
    }
    return text == NULL ? "" : text;
}

/*
 * Describes how many places the requested day has left, and which other days have room. Returns NULL if
 * hospital-svc fails.
 */
static const char *what_would_do(struct session *session, const Screening__V1__CreateBookingRequest *wanted)
{
    Screening__V1__GetAvailabilityRequest request = SCREENING__V1__GET_AVAILABILITY_REQUEST__INIT;
    struct error error;
    request.hospital_id = wanted->hospital_id;
    const Screening__V1__GetAvailabilityResponse *days =
        client_call(session, "GetAvailability", &request.base, &error);
    uint32_t headcount = wanted->headcount == 0 ? 1 : wanted->headcount;
    if (days == NULL)
        return NULL;
    const char *left = "";
    for (size_t i = 0; i < days->n_days && left != NULL; i++) {
        if (strcmp(days->days[i]->date, wanted->date) == 0) {
            left =
                arena_printf(&session->arena, _("%u wanted, %u left; "), headcount, days->days[i]->remaining);
        }
    }
    const char *others = free_days(session, days, headcount);
    return left == NULL        ? NULL
           : others[0] == '\0' ? arena_printf(&session->arena, _("%sno free day in the next 30 days"), left)
                               : arena_printf(&session->arena, _("%sfree days: %s"), left, others);
}

static int refuse(struct session *session, const Screening__V1__CreateBookingRequest *wanted, bool own_id,
                  struct error *error)
{
    const char *more = NULL;
    if (strcmp(error->reason, SCREENING_REASON_SOLD_OUT) == 0 ||
        strcmp(error->reason, SCREENING_REASON_DATE_NOT_OPEN) == 0) {
        more = what_would_do(session, wanted);
    } else if (!own_id && (strcmp(error->reason, SCREENING_REASON_HOSPITAL_UNAVAILABLE) == 0 ||
                           strcmp(error->reason, SCREENING_REASON_BUDGET_SPENT) == 0)) {
        char reason[ERROR_REASON_SIZE];
        snprintf(reason, sizeof reason, "%s", error->reason);
        error_set(error, error->status, reason, _("nothing was booked; try again later"));
    }
    return client_fail_more(error, more);
}

/* Returns whether the booking already exists. Called only for an id that the user has given. */
static bool exists(struct session *session, char *booking_id)
{
    Screening__V1__GetBookingRequest request = SCREENING__V1__GET_BOOKING_REQUEST__INIT;
    struct error error;
    request.booking_id = booking_id;
    return client_call(session, "GetBooking", &request.base, &error) != NULL;
}

static int booking_book(struct session *session, const struct command *command, int argc, char **argv)
{
    Screening__V1__CreateBookingRequest request = SCREENING__V1__CREATE_BOOKING_REQUEST__INIT;
    const struct argument arguments[] = {
        {"--customer", &request.customer_id, ARGUMENT_TEXT, true},
        {"--name", &request.customer_name, ARGUMENT_TEXT, true},
        {"--hospital", &request.hospital_id, ARGUMENT_HOSPITAL, true},
        {"--date", &request.date, ARGUMENT_DATE, true},
        {"--headcount", &request.headcount, ARGUMENT_HEADCOUNT, false},
        {"--queue", &request.queue_if_unavailable, ARGUMENT_SWITCH, false},
        {"--id", &request.booking_id, ARGUMENT_TEXT, false},
    };
    int exit_code;
    if (!command_read(session, command, arguments, COUNT_OF(arguments), argc, argv, &exit_code))
        return exit_code;
    bool own_id = request.booking_id[0] != '\0';
    bool there = own_id && !session->json && exists(session, request.booking_id);
    struct error error;
    const Screening__V1__Booking *booking = client_call(session, "CreateBooking", &request.base, &error);
    if (booking == NULL)
        return refuse(session, &request, own_id, &error);
    exit_code = booking_output(session, booking);
    if (there && exit_code == EXIT_DONE)
        puts(_("\nThis booking already existed; nothing more was booked."));
    return exit_code;
}

const struct command BOOKING_BOOK = {
    "book", NULL,
    "--customer ID --name NAME --hospital HOSPITAL --date DATE [--headcount N] [--queue] [--id UUID]",
    N_("books a screening"), booking_book};
