/*
 * screenctl repair: lists the places that hospital-svc holds for bookings that have ended or that booking-svc
 * does not know. With --release, releases them.
 */
#include "client.h"
#include "command.h"
#include "message.h"
#include "output.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

#include "screening/v1/booking.pb-c.h"
#include "screening/v1/hospital.pb-c.h"

/* REPAIR_PAGE is the maximum number of reservations in a page and of ids in a request. */
enum { REPAIR_PAGE = 500, LOOK_AGAIN_MS = 5000, LOOK_PAUSE_MS = 200 };

/* The status of a place's booking in booking-svc. UNSPECIFIED means that the booking does not exist. */
typedef Screening__V1__BookingStatus booking_status;

struct place {
    const Screening__V1__Reservation *reservation;
    booking_status booking; /* as of the lookup; after a release, as returned by AbandonBooking */
    bool released;
    bool gone; /* whether hospital-svc has released the place since the lookup */
    struct place *next;
};

struct repair {
    struct session *session;
    struct session page; /* a copy of the session with an arena that is reset after each page */
    const char *from;    /* places on days before this date are ignored */
    bool release;
    struct place *places, **end;
};

static bool is_final(booking_status status)
{
    return status != SCREENING__V1__BOOKING_STATUS__BOOKING_STATUS_UNSPECIFIED &&
           status != SCREENING__V1__BOOKING_STATUS__REQUESTED &&
           status != SCREENING__V1__BOOKING_STATUS__CONFIRMED;
}

static bool out_of_memory(void)
{
    client_fail_memory();
    return false;
}

/* ---- one page; hospital-svc is read before booking-svc, so that a new booking never looks unknown ---- */

static const Screening__V1__ListReservationsResponse *list(struct session *session, const char *page_token)
{
    Screening__V1__ListReservationsRequest request = SCREENING__V1__LIST_RESERVATIONS_REQUEST__INIT;
    request.page_size = REPAIR_PAGE;
    request.page_token =
        (char *)page_token; /* protobuf-c's strings are not const, but packing only reads them */
    return client_ask(session, "ListReservations", &request.base);
}

static const Screening__V1__LookUpBookingsResponse *
look_up(struct session *session, const Screening__V1__ListReservationsResponse *held)
{
    Screening__V1__LookUpBookingsRequest request = SCREENING__V1__LOOK_UP_BOOKINGS_REQUEST__INIT;
    request.booking_ids = arena_alloc(&session->arena, held->n_reservations * sizeof(char *));
    if (request.booking_ids == NULL) {
        client_fail_memory();
        return NULL;
    }
    for (size_t i = 0; i < held->n_reservations; i++)
        request.booking_ids[request.n_booking_ids++] = held->reservations[i]->booking_id;
    return client_ask(session, "LookUpBookings", &request.base);
}

/* Adds a copy of the place, because the page's memory is reused. Returns false when out of memory. */
static bool keep(struct repair *repair, const Screening__V1__Reservation *reservation, booking_status booking)
{
    struct arena *arena = &repair->session->arena;
    struct place *place = arena_alloc(arena, sizeof *place);
    Screening__V1__Reservation *copy = arena_alloc(arena, sizeof *copy);
    if (place == NULL || copy == NULL)
        return out_of_memory();
    screening__v1__reservation__init(copy);
    copy->booking_id = arena_strdup(arena, reservation->booking_id);
    copy->hospital_id = arena_strdup(arena, reservation->hospital_id);
    copy->date = arena_strdup(arena, reservation->date);
    copy->headcount = reservation->headcount;
    if (copy->booking_id == NULL || copy->hospital_id == NULL || copy->date == NULL)
        return out_of_memory();
    *place = (struct place){.reservation = copy, .booking = booking};
    *repair->end = place;
    repair->end = &place->next;
    return true;
}

static bool judge(struct repair *repair, const Screening__V1__ListReservationsResponse *held,
                  const Screening__V1__LookUpBookingsResponse *known)
{
    for (size_t i = 0; i < held->n_reservations; i++) {
        booking_status booking = i < known->n_bookings
                                     ? known->bookings[i]->status
                                     : SCREENING__V1__BOOKING_STATUS__BOOKING_STATUS_UNSPECIFIED;
        bool held_for_nobody =
            booking == SCREENING__V1__BOOKING_STATUS__BOOKING_STATUS_UNSPECIFIED || is_final(booking);
        if (held_for_nobody && strcmp(held->reservations[i]->date, repair->from) >= 0 &&
            !keep(repair, held->reservations[i], booking))
            return false;
    }
    return true;
}

static bool read_page(struct repair *repair, const char *page_token,
                      const Screening__V1__ListReservationsResponse **held)
{
    *held = list(&repair->page, page_token);
    if (*held == NULL || (*held)->n_reservations == 0)
        return *held != NULL;
    const Screening__V1__LookUpBookingsResponse *known = look_up(&repair->page, *held);
    return known != NULL && judge(repair, *held, known);
}

static bool read_all(struct repair *repair)
{
    const char *page_token = "";
    bool done = false;
    while (!done) {
        const Screening__V1__ListReservationsResponse *held;
        if (!read_page(repair, page_token, &held))
            return false;
        done = held->next_page_token[0] == '\0';
        page_token = arena_strdup(&repair->session->arena, held->next_page_token);
        if (page_token == NULL)
            return out_of_memory();
        arena_reset(&repair->page.arena);
    }
    return true;
}

/* ---- ended bookings, whose places hospital-svc may be about to release ---- */

/*
 * Collects up to REPAIR_PAGE ids of ended bookings from *place on, and moves *place past them. Returns their
 * number.
 */
static size_t take_ended(struct place **place, char **ids)
{
    size_t count = 0;
    for (; *place != NULL && count < REPAIR_PAGE; *place = (*place)->next)
        if (is_final((*place)->booking) && !(*place)->gone)
            ids[count++] = (*place)->reservation->booking_id;
    return count;
}

static bool is_listed(const Screening__V1__ListReservationsResponse *held, const char *booking_id)
{
    for (size_t i = 0; i < held->n_reservations; i++)
        if (strcmp(held->reservations[i]->booking_id, booking_id) == 0)
            return true;
    return false;
}

/*
 * Marks those places of ended bookings that hospital-svc has released in the meantime. Sets *left to the
 * number of those that hospital-svc still holds. Returns false after printing an error.
 */
static bool look_once_more(struct repair *repair, size_t *left)
{
    char *ids[REPAIR_PAGE];
    struct place *next = repair->places;
    *left = 0;
    while (next != NULL) {
        Screening__V1__ListReservationsRequest request = SCREENING__V1__LIST_RESERVATIONS_REQUEST__INIT;
        struct place *first = next;
        request.booking_ids = ids;
        request.n_booking_ids = take_ended(&next, ids);
        if (request.n_booking_ids == 0)
            break;
        const Screening__V1__ListReservationsResponse *held =
            client_ask(&repair->page, "ListReservations", &request.base);
        if (held == NULL)
            return false;
        for (struct place *place = first; place != next; place = place->next)
            if (is_final(place->booking) && !place->gone)
                place->gone = !is_listed(held, place->reservation->booking_id);
        *left += held->n_reservations;
        arena_reset(&repair->page.arena);
    }
    return true;
}

static bool wait_for_releases(struct repair *repair)
{
    const int64_t end_ns = clock_monotonic_ns() + (int64_t)LOOK_AGAIN_MS * NS_PER_MS;
    const struct timespec pause = {.tv_nsec = (long)LOOK_PAUSE_MS * NS_PER_MS};
    for (;;) {
        size_t left;
        if (!look_once_more(repair, &left))
            return false;
        if (left == 0 || clock_monotonic_ns() >= end_ns)
            return true;
        nanosleep(&pause, NULL);
    }
}

/* ---- release, decided by booking-svc, because a booking with the id may exist by now ---- */

static bool release(struct repair *repair, struct place *place)
{
    Screening__V1__AbandonBookingRequest request = SCREENING__V1__ABANDON_BOOKING_REQUEST__INIT;
    request.booking_id = place->reservation->booking_id;
    request.hospital_id = place->reservation->hospital_id;
    request.date = place->reservation->date;
    request.headcount = place->reservation->headcount;
    const Screening__V1__Booking *booking = client_ask(&repair->page, "AbandonBooking", &request.base);
    if (booking == NULL)
        return false;
    place->booking = booking->status;
    place->released = is_final(booking->status);
    arena_reset(&repair->page.arena);
    return true;
}

static bool release_all(struct repair *repair)
{
    for (struct place *place = repair->places; place != NULL; place = place->next)
        if (!place->gone && !release(repair, place))
            return false;
    return true;
}

/* ---- output ---- */

static const char *outcome(const struct repair *repair, const struct place *place)
{
    if (!repair->release)
        return N_("HELD");
    return place->released ? N_("RELEASED") : N_("KEPT");
}

static const char *booking_word(booking_status status)
{
    const ProtobufCEnumValue *value =
        protobuf_c_enum_descriptor_get_value(&screening__v1__booking_status__descriptor, (int)status);
    return status == SCREENING__V1__BOOKING_STATUS__BOOKING_STATUS_UNSPECIFIED || value == NULL ? "NONE"
                                                                                                : value->name;
}

static const char *booking_shown(booking_status status)
{
    return status == SCREENING__V1__BOOKING_STATUS__BOOKING_STATUS_UNSPECIFIED
               ? message(N_("NONE"))
               : output_booking_status(status);
}

static int show_json(const struct repair *repair)
{
    json_t *places = json_array();
    for (const struct place *place = repair->places; place != NULL; place = place->next) {
        const Screening__V1__Reservation *held = place->reservation;
        if (!place->gone) {
            json_array_append_new(places,
                                  json_pack("{s:s, s:s, s:s, s:I, s:s, s:s}", "bookingId", held->booking_id,
                                            "hospitalId", held->hospital_id, "date", held->date, "headcount",
                                            (json_int_t)held->headcount, "booking",
                                            booking_word(place->booking), "outcome", outcome(repair, place)));
        }
    }
    return output_document(json_pack("{s:o}", "places", places));
}

static int show(struct repair *repair)
{
    enum { BOOKING, HOSPITAL, DATE, PEOPLE, STATUS, OUTCOME };
    static const struct table_column columns[] = {{N_("BOOKING"), false}, {N_("HOSPITAL"), false},
                                                  {N_("DATE"), false},    {N_("PEOPLE"), true},
                                                  {N_("STATUS"), false},  {N_("PLACE"), false}};
    struct session *session = repair->session;
    struct table table;
    table_init(&table, &session->arena, columns, COUNT_OF(columns));
    table.layout = (struct table_layout){.ids = TABLE_COLUMN(HOSPITAL), .optional = TABLE_COLUMN(HOSPITAL)};
    for (const struct place *place = repair->places; place != NULL; place = place->next) {
        if (!place->gone) {
            table_text(&table, place->reservation->booking_id);
            table_text(&table, place->reservation->hospital_id);
            table_text(&table, place->reservation->date);
            table_number(&table, place->reservation->headcount);
            table_text(&table, booking_shown(place->booking));
            table_text(&table, message(outcome(repair, place)));
        }
    }
    const bool found = table_row_count(&table) > 0;
    int exit_code = output_list(session, &table, N_("no place is held without a booking"));
    if (exit_code == EXIT_DONE && found && !repair->release && !session->csv)
        puts(_("\nto release these places: screenctl repair --release"));
    return exit_code;
}

static bool run(struct repair *repair)
{
    return read_all(repair) && wait_for_releases(repair) && (!repair->release || release_all(repair));
}

static int repair_places(struct session *session, const struct command *command, int argc, char **argv)
{
    char *from = NULL;
    protobuf_c_boolean wanted = false;
    const struct argument arguments[] = {
        {"--from", &from, ARGUMENT_DATE, false},
        {"--release", &wanted, ARGUMENT_SWITCH, false},
        {"--csv", &session->csv, ARGUMENT_SWITCH, false},
    };
    int exit_code;
    if (!command_read(session, command, arguments, COUNT_OF(arguments), argc, argv, &exit_code))
        return exit_code;
    struct error error;
    if (client_connect(session, PEER_HOSPITAL, &error) != STATUS_OK ||
        client_connect(session, PEER_BOOKING, &error) != STATUS_OK)
        return client_fail(&error);
    struct repair repair = {
        .session = session, .page = *session, .from = from != NULL ? from : "", .release = wanted};
    repair.end = &repair.places;
    repair.page.token_file = (struct token_file){0}; /* the copy reads the file for itself */
    arena_init(&repair.page.arena);
    exit_code = EXIT_FAILED;
    if (run(&repair))
        exit_code = session->json ? show_json(&repair) : show(&repair);
    token_file_fini(&repair.page.token_file);
    arena_fini(&repair.page.arena);
    return exit_code;
}

const struct command REPAIR_PLACES = {
    "repair", NULL, "[--from DATE] [--release] [--csv]",
    N_("lists places held for bookings that do not exist or have ended; --release: releases them"),
    repair_places};
