/*
 * The client library of the screening reservation system: one blocking, typed call per public method.
 *
 *     struct screening_options options = {.address = "tcp://127.0.0.1:7201"};
 *     struct screening_error error;
 *     struct screening_client *client = screening_client_open(&options, &error);
 *
 *     Screening__V1__CreateBookingRequest request = SCREENING__V1__CREATE_BOOKING_REQUEST__INIT;
 *     ...
 *     Screening__V1__Booking *booking;
 *     if (screening_create_booking(client, &request, &booking, &error) == SCREENING_OK) {
 *         ...
 *         screening__v1__booking__free_unpacked(booking, NULL);
 *     }
 *
 * A capacity is sent if its capacity_presence_case is set as well, 0 too; a request without it is refused:
 *
 *     request.capacity_presence_case = SCREENING__V1__SET_CAPACITY_REQUEST__CAPACITY_PRESENCE_CAPACITY;
 *     request.capacity = 0;
 *
 * A client is for one server: the methods of booking-svc, hospital-svc and history-svc are called at their
 * own addresses. Any thread may call with the same client; each call that is in flight uses a connection of
 * its own, which the next call reuses. The library starts no thread, installs no signal handler, and keeps
 * nothing but its connections.
 *
 * Every call returns the code that it also stores in `error`, which may be NULL. On SCREENING_OK `*response`
 * belongs to the caller, who frees it with the generated `..._free_unpacked(response, NULL)`. Otherwise it is
 * NULL.
 *
 * A call ends within `timeout_ms`. Within that time it waits for a server that is restarting, and sends a
 * request again only if it was certainly not executed. A call whose connection broke after the request was
 * sent fails with SCREENING_UNAVAILABLE and `sent` set: the outcome is unknown. Repeat it with the same id;
 * a repeat changes nothing that the first did not.
 */
#ifndef SCREENING_CLIENT_H
#define SCREENING_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "screening/client_version.h"

#include "screening/v1/booking.pb-c.h"
#include "screening/v1/event.pb-c.h"
#include "screening/v1/history.pb-c.h"
#include "screening/v1/hospital.pb-c.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The codes of google.rpc.Code. */
enum screening_code {
    SCREENING_OK = 0,
    SCREENING_CANCELLED = 1,
    SCREENING_UNKNOWN = 2,
    SCREENING_INVALID_ARGUMENT = 3,
    SCREENING_DEADLINE_EXCEEDED = 4,
    SCREENING_NOT_FOUND = 5,
    SCREENING_ALREADY_EXISTS = 6,
    SCREENING_PERMISSION_DENIED = 7,
    SCREENING_RESOURCE_EXHAUSTED = 8,
    SCREENING_FAILED_PRECONDITION = 9,
    SCREENING_ABORTED = 10,
    SCREENING_OUT_OF_RANGE = 11,
    SCREENING_UNIMPLEMENTED = 12,
    SCREENING_INTERNAL = 13,
    SCREENING_UNAVAILABLE = 14,
    SCREENING_DATA_LOSS = 15,
    SCREENING_UNAUTHENTICATED = 16
};

struct screening_error {
    enum screening_code code;
    bool sent; /* the request was sent: unless the code is a definite refusal, it may have been executed */
    uint32_t retry_after_ms; /* when to ask again; 0 = the server did not say */
    char reason[64];         /* a stable word for programs, such as SOLD_OUT, or empty */
    char message[256];       /* for people; may change */
};

struct screening_options {
    const char *address;       /* tcp://HOST:PORT or ipc:///PATH */
    uint32_t timeout_ms;       /* of each call; 0 = 5000, at most 60000 */
    const char *authorization; /* sent with each call; NULL = nothing */
};

struct screening_client;

/*
 * A client of the server at the address, which need not run yet: nothing is connected before the first call.
 * NULL and SCREENING_INVALID_ARGUMENT for malformed options, SCREENING_RESOURCE_EXHAUSTED without memory.
 * The options are copied. The caller closes the client.
 */
struct screening_client *screening_client_open(const struct screening_options *options,
                                               struct screening_error *error);

/* No thread may use the client any more. NULL is allowed. */
void screening_client_close(struct screening_client *client);

/* "INVALID_ARGUMENT"; "UNRECOGNISED" for other numbers. Never NULL. */
const char *screening_code_name(enum screening_code code);

/* The version of the library that runs; SCREENING_CLIENT_VERSION is that of the header. */
const char *screening_client_version(void);

enum { SCREENING_ID_SIZE = 37 };

/* Writes a new id of version 7 as text, with its NUL, and returns `out`; for booking_id and hospital_id. */
char *screening_new_id(char out[SCREENING_ID_SIZE]);

/* booking-svc */
enum screening_code screening_create_booking(struct screening_client *client,
                                             const Screening__V1__CreateBookingRequest *request,
                                             Screening__V1__Booking **response,
                                             struct screening_error *error);
enum screening_code screening_get_booking(struct screening_client *client,
                                          const Screening__V1__GetBookingRequest *request,
                                          Screening__V1__Booking **response, struct screening_error *error);
enum screening_code screening_list_bookings(struct screening_client *client,
                                            const Screening__V1__ListBookingsRequest *request,
                                            Screening__V1__ListBookingsResponse **response,
                                            struct screening_error *error);
enum screening_code screening_cancel_booking(struct screening_client *client,
                                             const Screening__V1__CancelBookingRequest *request,
                                             Screening__V1__Booking **response,
                                             struct screening_error *error);

/* hospital-svc */
enum screening_code screening_register_hospital(struct screening_client *client,
                                                const Screening__V1__RegisterHospitalRequest *request,
                                                Screening__V1__Hospital **response,
                                                struct screening_error *error);
enum screening_code screening_get_hospital(struct screening_client *client,
                                           const Screening__V1__GetHospitalRequest *request,
                                           Screening__V1__Hospital **response, struct screening_error *error);
enum screening_code screening_list_hospitals(struct screening_client *client,
                                             const Screening__V1__ListHospitalsRequest *request,
                                             Screening__V1__ListHospitalsResponse **response,
                                             struct screening_error *error);
enum screening_code screening_set_capacity(struct screening_client *client,
                                           const Screening__V1__SetCapacityRequest *request,
                                           Screening__V1__ScreeningDay **response,
                                           struct screening_error *error);
enum screening_code screening_get_availability(struct screening_client *client,
                                               const Screening__V1__GetAvailabilityRequest *request,
                                               Screening__V1__GetAvailabilityResponse **response,
                                               struct screening_error *error);
enum screening_code screening_delete_hospital(struct screening_client *client,
                                              const Screening__V1__DeleteHospitalRequest *request,
                                              Screening__V1__Hospital **response,
                                              struct screening_error *error);

/* history-svc */
enum screening_code screening_get_booking_history(struct screening_client *client,
                                                  const Screening__V1__GetBookingHistoryRequest *request,
                                                  Screening__V1__GetBookingHistoryResponse **response,
                                                  struct screening_error *error);
enum screening_code screening_list_customer_history(struct screening_client *client,
                                                    const Screening__V1__ListCustomerHistoryRequest *request,
                                                    Screening__V1__ListCustomerHistoryResponse **response,
                                                    struct screening_error *error);
enum screening_code screening_get_projection_status(struct screening_client *client,
                                                    const Screening__V1__GetProjectionStatusRequest *request,
                                                    Screening__V1__GetProjectionStatusResponse **response,
                                                    struct screening_error *error);

/* booking-svc and hospital-svc: their event logs */
enum screening_code screening_fetch(struct screening_client *client,
                                    const Screening__V1__FetchRequest *request,
                                    Screening__V1__FetchResponse **response, struct screening_error *error);

#ifdef __cplusplus
}
#endif

#endif
