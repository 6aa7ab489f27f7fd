/*
 * Books a place, looks the booking up, cancels it: a client on the installed library.
 *
 *     cc client.c -o client $(pkg-config --cflags --libs screening-client)
 *     ./client tcp://127.0.0.1:7201 HOSPITAL_ID 2026-12-01
 */
#include <stdio.h>

#include "base/uuid.h"
#include "rpc/channel.h"

#include "screening/v1/booking.pb-c.h"

/* One call. All three answer with the booking, which is printed. False when refused, after saying why. */
static bool ask(struct rpc_client *client, const char *method, const ProtobufCMessage *request)
{
    struct rpc_client_call call = {.timeout_ms = 5000};
    struct arena arena; /* the answer lives in it */
    arena_init(&arena);
    ProtobufCMessage *answer;
    enum status status = rpc_client_call_wait(client, method, request, &call, &arena, &answer);
    if (status == STATUS_OK) {
        const Screening__V1__Booking *booking = (const Screening__V1__Booking *)answer;
        const ProtobufCEnumValue *now = protobuf_c_enum_descriptor_get_value(
            &screening__v1__booking_status__descriptor, (int)booking->status);
        printf("%s: booking %s is %s\n", method, booking->booking_id, now != NULL ? now->name : "new to me");
    } else {
        fprintf(stderr, "%s: %s %s: %s\n", method, status_name(status), call.error.reason,
                call.error.message);
    }
    arena_fini(&arena);
    return status == STATUS_OK;
}

int main(int argc, char **argv)
{
    const struct rpc_channel_options options = {.address = argv[1], .connect_now = true};
    struct rpc_channel *channel;
    struct error error = {.message = "usage: client ADDRESS HOSPITAL_ID DATE"};
    if (argc != 4 || rpc_channel_open(&options, &channel, &error) != STATUS_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    struct rpc_client *client = rpc_client_create(channel, &screening__v1__booking_service__descriptor);
    struct uuid made = uuid_v7(); /* the id is ours: the same request, sent again, books once */
    char id[UUID_TEXT_SIZE];
    Screening__V1__CreateBookingRequest create = SCREENING__V1__CREATE_BOOKING_REQUEST__INIT;
    Screening__V1__GetBookingRequest get = SCREENING__V1__GET_BOOKING_REQUEST__INIT;
    Screening__V1__CancelBookingRequest cancel = SCREENING__V1__CANCEL_BOOKING_REQUEST__INIT;
    create.booking_id = get.booking_id = cancel.booking_id = uuid_format(&made, id);
    create.customer_id = "kim-haneul";
    create.customer_name = "김하늘";
    create.hospital_id = argv[2];
    create.date = argv[3];
    bool done = client != NULL && ask(client, "CreateBooking", &create.base) &&
                ask(client, "GetBooking", &get.base) && ask(client, "CancelBooking", &cancel.base);
    rpc_client_destroy(client);
    rpc_channel_close(channel);
    return done ? 0 : 1;
}
