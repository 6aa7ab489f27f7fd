#include "request.h"

#include <stdio.h>
#include <string.h>

#include "screening/v1/booking.pb-c.h"
#include "screening/v1/hospital.pb-c.h"

/* The offset of the random part of a booking's id, which serves as the id of a new customer. */
enum { CUSTOMER_AT = 24 };

/* ---- answers ---- */

static const char *name_of_status(Screening__V1__BookingStatus status)
{
    const ProtobufCEnumValue *value =
        protobuf_c_enum_descriptor_get_value(&screening__v1__booking_status__descriptor, (int)status);
    return value != NULL ? value->name : "UNKNOWN";
}

/* Returns whether the server or the channel guarantees that the request changed nothing. */
static bool nothing_done(const struct turn *turn)
{
    enum status status = turn->rpc.error.status;
    return !turn->rpc.left || status == STATUS_RESOURCE_EXHAUSTED || status == STATUS_FAILED_PRECONDITION;
}

/*
 * Passes the answer to turn->answered. The name of the answer is `method`, followed by `outcome` or, if
 * `outcome` is NULL, by the status and reason of the error.
 */
static void hand_on(struct turn *turn, const char *method, const char *outcome, struct tally_answer answer)
{
    const struct error *error = &turn->rpc.error;
    char name[TALLY_NAME_SIZE];
    if (outcome != NULL)
        snprintf(name, sizeof name, "%s%s", method, outcome);
    else
        snprintf(name, sizeof name, "%s%s%s%s", method, status_name(error->status),
                 error->reason[0] != '\0' ? " " : "", error->reason);
    answer.booking_id = turn->booking_id;
    answer.name = name;
    answer.message = outcome != NULL ? "" : error->message;
    turn->answered(turn, &answer);
}

static bool is_booking(const struct turn *turn, const Screening__V1__Booking *booking)
{
    char text[UUID_TEXT_SIZE];
    return strcmp(booking->booking_id, uuid_format(&turn->booking_id, text)) == 0;
}

/*
 * Passes on the answer to a read. `given` is false if the read failed. `right` is whether a correct service
 * could have given the answer.
 */
static void read_done(struct turn *turn, const char *method, bool given, bool right)
{
    bool wrong = given ? !right : turn->rpc.error.status == STATUS_NOT_FOUND;
    hand_on(turn, method, wrong ? "WRONG" : given ? "OK" : NULL, (struct tally_answer){.wrong = wrong});
}

/* ---- CreateBooking ---- */

static void booked(const Screening__V1__Booking *booking, void *data)
{
    struct turn *turn = data;
    bool confirmed = booking != NULL && booking->status == SCREENING__V1__BOOKING_STATUS__CONFIRMED;
    hand_on(turn, "", booking != NULL ? name_of_status(booking->status) : NULL,
            (struct tally_answer){
                .confirmed = confirmed,
                .open = !confirmed && (booking != NULL || !nothing_done(turn)),
                .wrong = booking != NULL && !is_booking(turn, booking),
            });
}

static void send_book_for(struct turn *turn, const char *customer_id)
{
    char booking_id[UUID_TEXT_SIZE];
    Screening__V1__CreateBookingRequest request = SCREENING__V1__CREATE_BOOKING_REQUEST__INIT;
    request.booking_id = uuid_format(&turn->booking_id, booking_id);
    request.customer_id = customer_id != NULL ? (char *)customer_id : booking_id + CUSTOMER_AT;
    request.customer_name = "name";
    request.hospital_id = (char *)turn->day->hospital_id;
    request.date = (char *)turn->day->date;
    screening__v1__booking_service__create_booking(rpc_client_service(turn->booking), &request, booked, turn);
}

static void send_book(struct turn *turn)
{
    send_book_for(turn, NULL);
}

static void send_book_for_one(struct turn *turn)
{
    send_book_for(turn, "customer");
}

const struct request REQUEST_BOOK = {send_book};
const struct request REQUEST_BOOK_FOR_ONE = {send_book_for_one};

/* ---- CancelBooking ---- */

static void cancelled(const Screening__V1__Booking *booking, void *data)
{
    struct turn *turn = data;
    bool done = booking != NULL && booking->status == SCREENING__V1__BOOKING_STATUS__CANCELLED;
    bool unknown = booking == NULL && !nothing_done(turn);
    hand_on(turn, "CancelBooking ", booking != NULL ? name_of_status(booking->status) : NULL,
            (struct tally_answer){
                .cancelled = done || unknown,
                .open = unknown,
                .wrong = booking != NULL && (!done || !is_booking(turn, booking)),
            });
}

static void send_cancel(struct turn *turn)
{
    char booking_id[UUID_TEXT_SIZE];
    Screening__V1__CancelBookingRequest request = SCREENING__V1__CANCEL_BOOKING_REQUEST__INIT;
    request.booking_id = uuid_format(&turn->booking_id, booking_id);
    request.reason = "bench";
    screening__v1__booking_service__cancel_booking(rpc_client_service(turn->booking), &request, cancelled,
                                                   turn);
}

const struct request REQUEST_CANCEL = {send_cancel};

/* ---- reads ---- */

static void got(const Screening__V1__Booking *booking, void *data)
{
    struct turn *turn = data;
    read_done(turn, "GetBooking ", booking != NULL,
              booking != NULL && is_booking(turn, booking) &&
                  booking->status == SCREENING__V1__BOOKING_STATUS__CONFIRMED);
}

static void send_get(struct turn *turn)
{
    char booking_id[UUID_TEXT_SIZE];
    Screening__V1__GetBookingRequest request = SCREENING__V1__GET_BOOKING_REQUEST__INIT;
    request.booking_id = uuid_format(&turn->booking_id, booking_id);
    screening__v1__booking_service__get_booking(rpc_client_service(turn->booking), &request, got, turn);
}

const struct request REQUEST_GET = {send_get};

static void listed(const Screening__V1__ListBookingsResponse *response, void *data)
{
    struct turn *turn = data;
    bool right = false;
    for (size_t i = 0; response != NULL && i < response->n_bookings; i++)
        right |= is_booking(turn, response->bookings[i]);
    read_done(turn, "ListBookings ", response != NULL, right);
}

static void send_list(struct turn *turn)
{
    char booking_id[UUID_TEXT_SIZE];
    Screening__V1__ListBookingsRequest request = SCREENING__V1__LIST_BOOKINGS_REQUEST__INIT;
    request.customer_id = uuid_format(&turn->booking_id, booking_id) + CUSTOMER_AT;
    screening__v1__booking_service__list_bookings(rpc_client_service(turn->booking), &request, listed, turn);
}

const struct request REQUEST_LIST = {send_list};

static void availability(const Screening__V1__GetAvailabilityResponse *response, void *data)
{
    struct turn *turn = data;
    bool right =
        response != NULL && response->n_days > 0 && strcmp(response->days[0]->date, turn->day->date) == 0;
    read_done(turn, "GetAvailability ", response != NULL, right);
}

static void send_availability(struct turn *turn)
{
    Screening__V1__GetAvailabilityRequest request = SCREENING__V1__GET_AVAILABILITY_REQUEST__INIT;
    request.hospital_id = (char *)turn->day->hospital_id;
    request.from_date = (char *)turn->day->date;
    screening__v1__hospital_service__get_availability(rpc_client_service(turn->hospital), &request,
                                                      availability, turn);
}

const struct request REQUEST_AVAILABILITY = {send_availability};
