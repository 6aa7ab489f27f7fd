/* screenctl hospital delete: deletes a hospital, after a confirmation, because this cannot be undone */
#include "client.h"
#include "command.h"
#include "message.h"
#include "output.h"
#include "pages.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/civil.h"

#include "screening/v1/booking.pb-c.h"
#include "screening/v1/hospital.pb-c.h"

/* The bookings that the deletion would cancel. */
struct fall {
    bool known; /* whether the bookings could be counted */
    size_t bookings;
    size_t people;
};

/*
 * Counts the hospital's bookings with `status` from today on. A deletion does not affect earlier ones.
 * Returns false if booking-svc fails.
 */
static bool count_status(struct session *session, char *hospital_id, Screening__V1__BookingStatus status,
                         const char *today, struct fall *fall)
{
    Screening__V1__ListBookingsRequest request = SCREENING__V1__LIST_BOOKINGS_REQUEST__INIT;
    struct error error;
    request.hospital_id = hospital_id;
    request.status = status;
    const Screening__V1__ListBookingsResponse *bookings =
        pages_collect(session, "ListBookings", "bookings", &request.base, &error);
    for (size_t i = 0; bookings != NULL && i < bookings->n_bookings; i++) {
        if (strcmp(bookings->bookings[i]->date, today) >= 0) {
            fall->bookings++;
            fall->people += bookings->bookings[i]->headcount;
        }
    }
    return bookings != NULL;
}

static struct fall count(struct session *session, char *hospital_id)
{
    struct fall fall = {.bookings = 0};
    char today[CIVIL_TEXT_SIZE];
    int32_t day;
    struct error error;
    if (session_today(session, &day, &error) == STATUS_OK) {
        civil_format(day, today);
        fall.known =
            count_status(session, hospital_id, SCREENING__V1__BOOKING_STATUS__CONFIRMED, today, &fall) &&
            count_status(session, hospital_id, SCREENING__V1__BOOKING_STATUS__REQUESTED, today, &fall);
    }
    return fall;
}

static const char *fall_text(struct session *session, const struct fall *fall)
{
    if (!fall->known)
        return _("an unknown number of bookings (booking-svc does not answer)");
    const char *bookings =
        arena_printf(&session->arena, output_plural(fall->bookings, N_("%zu booking"), N_("%zu bookings")),
                     fall->bookings);
    const char *people = arena_printf(
        &session->arena, output_plural(fall->people, N_("%zu person"), N_("%zu people")), fall->people);
    const char *text = bookings == NULL || people == NULL
                           ? NULL
                           : arena_printf(&session->arena, _("%s for %s"), bookings, people);
    return text == NULL ? "" : text;
}

/* Asks a question on the terminal. Returns whether the answer is yes. */
static bool is_yes(const char *question)
{
    static const char *const yes[] = {"y", "yes", "Y", "YES", "Yes", "예", "네", "ㅛ"};
    char answer[16] = "";
    fputs(question, stderr);
    if (fgets(answer, sizeof answer, stdin) == NULL)
        fputc('\n', stderr);
    answer[strcspn(answer, "\n")] = '\0';
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
        if (strcmp(answer, yes[i]) == 0)
            return true;
    return false;
}

/* Asks for confirmation. Returns EXIT_DONE if the deletion may proceed, otherwise the exit code. */
static int confirm(struct session *session, const struct command *command,
                   const Screening__V1__Hospital *hospital, const char *falls)
{
    if (!isatty(STDIN_FILENO)) {
        return usage_error(command, "%s: %s would be force-cancelled; give --yes to delete it",
                           hospital->name, falls);
    }
    const char *question = arena_printf(
        &session->arena, _("%s, %s\n%s will be force-cancelled. This cannot be undone. Delete? [y/N] "),
        hospital->name, hospital->address, falls);
    if (question == NULL || !is_yes(question)) {
        fputs(_("screenctl: nothing was deleted\n"), stderr);
        return EXIT_FAILED;
    }
    return EXIT_DONE;
}

static int hospital_delete(struct session *session, const struct command *command, int argc, char **argv)
{
    Screening__V1__DeleteHospitalRequest request = SCREENING__V1__DELETE_HOSPITAL_REQUEST__INIT;
    Screening__V1__GetHospitalRequest get = SCREENING__V1__GET_HOSPITAL_REQUEST__INIT;
    protobuf_c_boolean yes = false;
    const struct argument arguments[] = {
        {"HOSPITAL", &request.hospital_id, ARGUMENT_WHOLE_HOSPITAL, true},
        {"--yes", &yes, ARGUMENT_SWITCH, false},
    };
    int exit_code;
    if (!command_read(session, command, arguments, COUNT_OF(arguments), argc, argv, &exit_code))
        return exit_code;
    if (!yes) {
        get.hospital_id = request.hospital_id;
        const Screening__V1__Hospital *there = client_ask(session, "GetHospital", &get.base);
        if (there == NULL)
            return EXIT_FAILED;
        const struct fall fall = count(session, request.hospital_id);
        bool deleted = there->status == SCREENING__V1__HOSPITAL_STATUS__DELETED;
        exit_code = deleted ? EXIT_DONE : confirm(session, command, there, fall_text(session, &fall));
        if (exit_code != EXIT_DONE)
            return exit_code;
    }
    return hospital_output(session, client_ask(session, "DeleteHospital", &request.base));
}

const struct command HOSPITAL_DELETE = {
    "hospital", "delete", "HOSPITAL [--yes]",
    N_("deletes a hospital and force-cancels its bookings; asks first, unless --yes is given"),
    hospital_delete};
