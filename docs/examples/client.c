/*
 * An example client of the installed library. Books a place, reads the booking and cancels it.
 *
 *     cc client.c -o client $(pkg-config --cflags --libs screening-client)
 *     SCREENING_TOKEN_FILE=admin.token ./client tcp://127.0.0.1:7201 HOSPITAL_ID 2026-12-01
 *
 * Exits with 1 after a refusal, and with 2 after wrong usage.
 */
#include "screening/client.h"

#include <stdio.h>
#include <stdlib.h>

/* Prints the outcome of the call and frees the booking. Returns whether the call succeeded. */
static bool report(const char *method, Screening__V1__Booking *booking, const struct screening_error *error)
{
    if (booking == NULL) {
        fprintf(stderr, "%s: %s %s: %s\n", method, screening_code_name(error->code), error->reason,
                error->message);
        return false;
    }
    const ProtobufCEnumValue *status = protobuf_c_enum_descriptor_get_value(
        &screening__v1__booking_status__descriptor, (int)booking->status);
    printf("%s: booking %s is %s\n", method, booking->booking_id,
           status != NULL ? status->name : "of a newer status");
    screening__v1__booking__free_unpacked(booking, NULL);
    return true;
}

static bool book_and_cancel(struct screening_client *client, char *hospital_id, char *date)
{
    char id[SCREENING_ID_SIZE]; /* the client chooses the id, so sending the request again books only once */
    Screening__V1__CreateBookingRequest create = SCREENING__V1__CREATE_BOOKING_REQUEST__INIT;
    Screening__V1__GetBookingRequest get = SCREENING__V1__GET_BOOKING_REQUEST__INIT;
    Screening__V1__CancelBookingRequest cancel = SCREENING__V1__CANCEL_BOOKING_REQUEST__INIT;
    create.booking_id = get.booking_id = cancel.booking_id = screening_new_id(id);
    create.customer_id = "kim-haneul";
    create.customer_name = "김하늘";
    create.hospital_id = hospital_id;
    create.date = date;

    struct screening_error error;
    Screening__V1__Booking *booking;
    screening_create_booking(client, &create, &booking, &error);
    if (!report("CreateBooking", booking, &error))
        return false;
    screening_get_booking(client, &get, &booking, &error);
    if (!report("GetBooking", booking, &error))
        return false;
    screening_cancel_booking(client, &cancel, &booking, &error);
    return report("CancelBooking", booking, &error);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: client ADDRESS HOSPITAL_ID DATE\n");
        return 2;
    }
    const struct screening_options options = {.address = argv[1],
                                              .token_file = getenv("SCREENING_TOKEN_FILE")};
    struct screening_error error;
    struct screening_client *client = screening_client_open(&options, &error);
    if (client == NULL) {
        fprintf(stderr, "%s\n", error.message);
        return 2;
    }
    bool done = book_and_cancel(client, argv[2], argv[3]);
    screening_client_close(client);
    return done ? 0 : 1;
}
