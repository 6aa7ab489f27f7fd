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
 * A capacity, even 0, is sent only if its capacity_presence_case is also set. The server refuses a request
 * without a capacity.
 *
 *     request.capacity_presence_case = SCREENING__V1__SET_CAPACITY_REQUEST__CAPACITY_PRESENCE_CAPACITY;
 *     request.capacity = 0;
 *
 * A client connects to one server. booking-svc, hospital-svc and history-svc each have their own address.
 * Threads may share a client. Each call in flight uses its own connection, which later calls may reuse. The
 * library starts no threads, installs no signal handlers, and keeps no state outside the client objects.
 *
 * Every call returns the code that it also stores in `error`, which may be NULL. On SCREENING_OK the caller
 * owns `*response` and frees it with the generated `..._free_unpacked(response, NULL)`. Otherwise `*response`
 * is NULL.
 *
 * A call ends within `timeout_ms`, unless the system's resolver takes longer to find the host. Within that
 * time it waits for a server that is restarting, and sends a request again only if the server certainly did
 * not execute it. If the connection breaks after the request has been sent, the call fails with
 * SCREENING_UNAVAILABLE and `sent` set, and the outcome is unknown. In that case, repeat the call with the
 * same id, which is the idempotency key. However often the call is repeated, it takes effect at most once.
 * The reasons that `error` may hold are listed in screening/v1/words.h.
 */
#ifndef SCREENING_CLIENT_CLIENT_H
#define SCREENING_CLIENT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "screening/client_version.h"

#include "screening/v1/booking.pb-c.h"
#include "screening/v1/event.pb-c.h"
#include "screening/v1/history.pb-c.h"
#include "screening/v1/hospital.pb-c.h"
#include "screening/v1/words.h"

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
    /* Whether the request was sent; it may then have been executed, unless the server refused it. */
    bool sent;
    uint32_t retry_after_ms; /* pause before a retry; 0 = the server sent none */
    char reason[64];         /* machine-readable and stable, such as SOLD_OUT; may be empty */
    char message[256];       /* human-readable; may change */
};

struct screening_options {
    const char *address;       /* tcp://HOST:PORT, tls+tcp://HOST:PORT or ipc:///PATH */
    uint32_t timeout_ms;       /* time limit for each call; 0 = 5000, at most 60000 */
    const char *authorization; /* sent with each call; NULL = nothing; see `insecure` */
    /*
     * NULL, or a file with an access token (screenctl token issue --out), which is sent with each call as
     * "Bearer TOKEN" and read again when it changes. A call fails with SCREENING_FAILED_PRECONDITION, before
     * anything is sent, if the file is missing, is no token, or can be read by other users. It must not be
     * set together with `authorization`.
     */
    const char *token_file;
    /*
     * For tls+tcp://HOST:PORT, and only then: a PEM file with the certificates of the trusted authorities,
     * read by screening_client_open. The server's certificate must be of one of them and have HOST, a name or
     * an IP address, as a subject alternative name.
     */
    const char *tls_ca_file;
    /*
     * Allows a token at an address tcp://HOST:PORT whose host is not localhost, in 127.0.0.0/8 or ::1.
     * Everybody on the network between can then read the token. Without it, screening_client_open refuses
     * such options.
     */
    bool insecure;
};

struct screening_client;

/*
 * Creates a client for the server at the address. The server need not be running yet, because the client
 * connects on the first call. Returns NULL with SCREENING_INVALID_ARGUMENT for invalid options, and with
 * SCREENING_RESOURCE_EXHAUSTED when out of memory. Copies the options. The caller must close the client.
 */
struct screening_client *screening_client_open(const struct screening_options *options,
                                               struct screening_error *error);

/*
 * Does the work of screening_client_open. `size` is the size of the caller's options: members are only added
 * at their end, so a program that was built with an earlier header keeps working.
 */
struct screening_client *screening_client_open_sized(const struct screening_options *options, size_t size,
                                                     struct screening_error *error);
#define screening_client_open(options, error)                                                                \
    screening_client_open_sized((options), sizeof(struct screening_options), (error))

/* Closes the client. No thread may use it afterwards. NULL is allowed. */
void screening_client_close(struct screening_client *client);

/* Returns the code's name, such as "INVALID_ARGUMENT", or "UNRECOGNISED" for an unknown code. */
const char *screening_code_name(enum screening_code code);

/* Returns the version of the library at run time. SCREENING_CLIENT_VERSION is the version of the header. */
const char *screening_client_version(void);

enum { SCREENING_ID_SIZE = 37 };

/*
 * Writes a new version 7 UUID as text with a terminating NUL, for use as a booking_id or hospital_id. Returns
 * `out`.
 */
char *screening_new_id(char out[SCREENING_ID_SIZE]);

/* Calls to booking-svc. */
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

/* Calls to hospital-svc. */
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

/* Calls to history-svc. */
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

/* The call that reads the event log of booking-svc or hospital-svc. */
enum screening_code screening_fetch(struct screening_client *client,
                                    const Screening__V1__FetchRequest *request,
                                    Screening__V1__FetchResponse **response, struct screening_error *error);

#ifdef __cplusplus
}
#endif

#endif
