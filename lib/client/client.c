#include "client/client.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "client/connection.h"
#include "client/token_file.h"

#include "rpc/v1/envelope.pb-c.h"

enum {
    IDLE_MAX = 16, /* maximum number of connections kept for later calls */
    TIMEOUT_DEFAULT_MS = 5000,
    TIMEOUT_MAX_MS = 60000,
    PAUSE_FIRST_MS = 10,
    PAUSE_MAX_MS = 250,
    NS_PER_MS = 1000000,
    MS_PER_S = 1000,
};

struct screening_client {
    struct address address;
    struct tls *tls; /* or NULL */
    char *address_text;
    char *authorization; /* or NULL */
    bool has_token_file;
    struct token_file token_file;
    uint32_t timeout_ms;
    pthread_mutex_t mutex; /* guards the next two members */
    struct connection idle[IDLE_MAX];
    int idle_count;
};

__attribute__((format(printf, 4, 5))) static enum screening_code
fail(struct screening_error *error, enum screening_code code, bool sent, const char *format, ...)
{
    if (error != NULL) {
        *error = (struct screening_error){.code = code, .sent = sent};
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
    }
    return code;
}

static struct screening_client *refuse(struct screening_error *error, enum screening_code code,
                                       const char *why)
{
    (void)fail(error, code, false, "%s", why);
    return NULL;
}

/* Copies the options. Returns false when out of memory; what it has copied is freed with the client. */
static bool copy_options(struct screening_client *client, const struct screening_options *options)
{
    client->timeout_ms = options->timeout_ms != 0 ? options->timeout_ms : TIMEOUT_DEFAULT_MS;
    client->address_text = strdup(options->address);
    client->authorization = options->authorization != NULL ? strdup(options->authorization) : NULL;
    client->has_token_file = options->token_file != NULL;
    return client->address_text != NULL &&
           (options->authorization == NULL || client->authorization != NULL) &&
           (!client->has_token_file || token_file_init(&client->token_file, options->token_file));
}

struct screening_client *screening_client_open_sized(const struct screening_options *given, size_t size,
                                                     struct screening_error *error)
{
    struct screening_options own = {0}, *options = &own;
    struct address address;
    memcpy(&own, given, size < sizeof own ? size : sizeof own);
    if (!address_parse(options->address, &address))
        return refuse(error, SCREENING_INVALID_ARGUMENT,
                      "address: must be tcp://HOST:PORT, tls+tcp://HOST:PORT or ipc:///PATH");
    if (address.tls != (options->tls_ca_file != NULL))
        return refuse(error, SCREENING_INVALID_ARGUMENT,
                      "tls_ca_file: must be set for an address tls+tcp://, and for no other");
    if (address_is_open(&address) && !options->insecure &&
        (options->authorization != NULL || options->token_file != NULL))
        return refuse(error, SCREENING_INVALID_ARGUMENT,
                      "address: tcp:// would show the token to the network: use tls+tcp://, or set insecure");
    if (options->timeout_ms > TIMEOUT_MAX_MS)
        return refuse(error, SCREENING_INVALID_ARGUMENT, "timeout_ms: must be at most 60000");
    if (options->authorization != NULL && options->token_file != NULL)
        return refuse(error, SCREENING_INVALID_ARGUMENT, "token_file: must not be set with authorization");
    struct screening_client *client = calloc(1, sizeof *client);
    if (client == NULL || pthread_mutex_init(&client->mutex, NULL) != 0) {
        free(client);
        return refuse(error, SCREENING_RESOURCE_EXHAUSTED, "out of memory");
    }
    client->address = address;
    switch (address.tls ? tls_open(options->tls_ca_file, &client->tls) : TLS_OPENED) {
    case TLS_OPENED:
        break;
    case TLS_FILE:
        screening_client_close(client);
        (void)fail(error, SCREENING_INVALID_ARGUMENT, false, "tls_ca_file: %s: has no certificates",
                   options->tls_ca_file);
        return NULL;
    case TLS_MEMORY:
        screening_client_close(client);
        return refuse(error, SCREENING_RESOURCE_EXHAUSTED, "out of memory");
    }
    if (!copy_options(client, options)) {
        screening_client_close(client);
        return refuse(error, SCREENING_RESOURCE_EXHAUSTED, "out of memory");
    }
    (void)fail(error, SCREENING_OK, false, "%s", "");
    return client;
}

/* Programs that were built before screening_client_open_sized call this, with the options of that time. */
struct screening_client *(screening_client_open)(const struct screening_options *options,
                                                 struct screening_error *error)
{
    return screening_client_open_sized(options, offsetof(struct screening_options, token_file), error);
}

void screening_client_close(struct screening_client *client)
{
    if (client == NULL)
        return;
    for (int i = 0; i < client->idle_count; i++)
        connection_close(&client->idle[i]);
    (void)pthread_mutex_destroy(&client->mutex);
    tls_destroy(client->tls);
    free(client->address_text);
    free(client->authorization);
    token_file_fini(&client->token_file);
    free(client);
}

/* ---- connections ---- */

/* Takes the most recently used idle connection that is still open. Returns false if there is none. */
static bool take_idle(struct screening_client *client, struct connection *out)
{
    for (;;) {
        (void)pthread_mutex_lock(&client->mutex);
        bool found = client->idle_count > 0;
        if (found)
            *out = client->idle[--client->idle_count];
        (void)pthread_mutex_unlock(&client->mutex);
        if (!found || connection_is_usable(out))
            return found;
        connection_close(out);
    }
}

static void keep(struct screening_client *client, struct connection *connection)
{
    (void)pthread_mutex_lock(&client->mutex);
    bool kept = client->idle_count < IDLE_MAX;
    if (kept)
        client->idle[client->idle_count++] = *connection;
    (void)pthread_mutex_unlock(&client->mutex);
    if (!kept)
        connection_close(connection);
}

/* ---- one call ---- */

struct call {
    struct screening_client *client;
    const char *method;
    const char *authorization; /* or NULL */
    const ProtobufCMessage *request;
    const ProtobufCMessageDescriptor *output;
    int64_t deadline_ns;
    uint32_t pause_ms;
    struct screening_error *error;
    const char *distrust; /* why the server's certificate was not accepted */
    ProtobufCMessage *response;
};

static uint32_t left_ms(const struct call *call)
{
    int64_t left_ns = call->deadline_ns - connection_now_ns();
    return left_ns > 0 ? (uint32_t)(left_ns / NS_PER_MS) : 0;
}

/* Waits before another attempt. Returns false, without waiting, if the remaining time is too short. */
static bool wait_ms(struct call *call, uint32_t ms)
{
    if (ms >= left_ms(call))
        return false;
    struct timespec pause = {.tv_sec = ms / MS_PER_S, .tv_nsec = (long)(ms % MS_PER_S) * NS_PER_MS};
    while (nanosleep(&pause, &pause) != 0 && errno == EINTR) {
    }
    return true;
}

static bool pause_growing(struct call *call)
{
    uint32_t ms = call->pause_ms;
    call->pause_ms = ms * 2 < PAUSE_MAX_MS ? ms * 2 : PAUSE_MAX_MS;
    return wait_ms(call, ms);
}

/*
 * Returns the request packed in its envelope, with room for the header before it, or NULL when out of memory.
 * Sets *size to the size of the envelope. The caller frees the result.
 */
static uint8_t *pack(const struct call *call, size_t *size)
{
    Rpc__V1__Metadata authorization = RPC__V1__METADATA__INIT, *metadata[] = {&authorization};
    Rpc__V1__Request envelope = RPC__V1__REQUEST__INIT;
    authorization.key = (char *)"authorization";
    authorization.value = (char *)call->authorization;
    envelope.method = (char *)call->method;
    envelope.timeout_ms = left_ms(call);
    envelope.explicit_presence = true;
    envelope.metadata = metadata;
    envelope.n_metadata = authorization.value != NULL ? 1 : 0;
    envelope.payload.len = protobuf_c_message_get_packed_size(call->request);
    envelope.payload.data = malloc(envelope.payload.len > 0 ? envelope.payload.len : 1);
    uint8_t *message = NULL;
    if (envelope.payload.data != NULL) {
        (void)protobuf_c_message_pack(call->request, envelope.payload.data);
        *size = protobuf_c_message_get_packed_size(&envelope.base);
        message = malloc(REQUEST_HEADER_SIZE + *size);
        if (message != NULL)
            (void)protobuf_c_message_pack(&envelope.base, message + REQUEST_HEADER_SIZE);
    }
    free(envelope.payload.data);
    return message;
}

static enum screening_code step_failed(const struct call *call, enum step step, bool sent)
{
    const char *address = call->client->address_text;
    switch (step) {
    case STEP_LATE:
        return fail(call->error, SCREENING_DEADLINE_EXCEEDED, sent, "%s: no answer from %s in time",
                    call->method, address);
    case STEP_WRONG:
        return fail(call->error, SCREENING_UNAVAILABLE, sent, "%s does not answer calls of this protocol",
                    address);
    case STEP_MEMORY:
        return fail(call->error, SCREENING_RESOURCE_EXHAUSTED, sent, "out of memory");
    case STEP_UNTRUSTED:
        return fail(call->error, SCREENING_UNAVAILABLE, sent, "%s: the server's certificate: %s", address,
                    call->distrust);
    default:
        return fail(call->error, SCREENING_UNAVAILABLE, sent, "%s: %s", address,
                    errno != 0 ? strerror(errno) : "the server closed the connection");
    }
}

/*
 * Reads the reply. If the server did not execute the request, sets *again_ms to the pause before the request
 * may be sent again, otherwise to 0.
 */
static enum screening_code read_answer(struct call *call, const uint8_t *body, size_t size,
                                       uint32_t *again_ms)
{
    Rpc__V1__Response *answer = rpc__v1__response__unpack(NULL, size, body);
    if (answer == NULL)
        return fail(call->error, SCREENING_INTERNAL, true, "%s: malformed answer", call->method);
    enum screening_code code = (enum screening_code)answer->code;
    (void)fail(call->error, code, true, "%s", answer->message);
    if (call->error != NULL) {
        call->error->retry_after_ms = answer->retry_after_ms;
        (void)snprintf(call->error->reason, sizeof call->error->reason, "%s", answer->reason);
    }
    bool executed_not =
        (code == SCREENING_UNAVAILABLE && answer->reason[0] != '\0') || code == SCREENING_RESOURCE_EXHAUSTED;
    *again_ms = executed_not ? answer->retry_after_ms : 0;
    if (code == SCREENING_OK) {
        call->response =
            protobuf_c_message_unpack(call->output, NULL, answer->payload.len, answer->payload.data);
        if (call->response == NULL)
            code = fail(call->error, SCREENING_INTERNAL, true, "%s: malformed response", call->method);
    }
    rpc__v1__response__free_unpacked(answer, NULL);
    return code;
}

/*
 * Sends the request over the connection and reads the reply. Sets *again_ms as read_answer does, or to
 * UINT32_MAX if the connection broke before the whole request was sent.
 */
static enum screening_code exchange(struct call *call, struct connection *connection, uint32_t *again_ms)
{
    size_t size = 0;
    *again_ms = 0;
    if (left_ms(call) == 0) { /* in a request, 0 means the server's default timeout */
        keep(call->client, connection);
        return step_failed(call, STEP_LATE, false);
    }
    uint8_t *message = pack(call, &size), *body = NULL;
    if (message == NULL) {
        connection_close(connection);
        return step_failed(call, STEP_MEMORY, false);
    }
    enum step step = connection_send(connection, message, size, call->deadline_ns);
    bool sent = step == STEP_DONE;
    free(message);
    if (sent)
        step = connection_receive(connection, &body, &size, call->deadline_ns);
    if (step != STEP_DONE) {
        enum screening_code code = step_failed(call, step, sent);
        connection_close(connection); /* the stream may have stopped within a message */
        *again_ms = step == STEP_BROKEN && !sent ? UINT32_MAX : 0;
        return code;
    }
    enum screening_code code = read_answer(call, body, size, again_ms);
    free(body);
    if (code == SCREENING_UNAVAILABLE)
        connection_close(connection); /* a draining server executes no more requests on this connection */
    else
        keep(call->client, connection);
    return code;
}

static enum screening_code run(struct call *call)
{
    for (;;) {
        struct connection connection;
        enum step step = STEP_DONE;
        if (!take_idle(call->client, &connection))
            step = connection_open(&connection, &call->client->address, call->client->tls, &call->distrust,
                                   call->deadline_ns);
        enum screening_code code;
        uint32_t again_ms = UINT32_MAX;
        if (step == STEP_DONE) {
            code = exchange(call, &connection, &again_ms);
        } else {
            code = step_failed(call, step, false);
            again_ms = step == STEP_BROKEN ? UINT32_MAX : 0;
        }
        if (again_ms == 0 || !(again_ms == UINT32_MAX ? pause_growing(call) : wait_ms(call, again_ms)))
            return code;
    }
}

static enum screening_code read_token(struct screening_client *client, char **token,
                                      struct screening_error *error)
{
    char why[TOKEN_FILE_WHY_SIZE];
    switch (token_file_read(&client->token_file, token, why)) {
    case TOKEN_FILE_OK:
        return SCREENING_OK;
    case TOKEN_FILE_MEMORY:
        return fail(error, SCREENING_RESOURCE_EXHAUSTED, false, "out of memory");
    default:
        return fail(error, SCREENING_FAILED_PRECONDITION, false, "token_file: %s", why);
    }
}

static enum screening_code call_method(struct screening_client *client, const char *method,
                                       const ProtobufCMessage *request,
                                       const ProtobufCMessageDescriptor *output, ProtobufCMessage **response,
                                       struct screening_error *error)
{
    char *token = NULL;
    *response = NULL;
    if (client->has_token_file) {
        enum screening_code code = read_token(client, &token, error);
        if (code != SCREENING_OK)
            return code;
    }
    struct call call = {.client = client,
                        .method = method,
                        .authorization = client->has_token_file ? token : client->authorization,
                        .request = request,
                        .output = output,
                        .deadline_ns = connection_now_ns() + (int64_t)client->timeout_ms * NS_PER_MS,
                        .pause_ms = PAUSE_FIRST_MS,
                        .error = error};
    enum screening_code code = run(&call);
    token_file_free(token);
    *response = call.response;
    return code;
}

/* Types cannot be parenthesised. NOLINTBEGIN(bugprone-macro-parentheses) */
#define CALL(name, service, method, request_type, response_type, output)                                     \
    enum screening_code name(struct screening_client *client, const request_type *request,                   \
                             response_type **response, struct screening_error *error)                        \
    {                                                                                                        \
        ProtobufCMessage *answer;                                                                            \
        enum screening_code code = call_method(client, "screening.v1." service "/" method, &request->base,   \
                                               &screening__v1__##output##__descriptor, &answer, error);      \
        *response = (response_type *)answer;                                                                 \
        return code;                                                                                         \
    }

CALL(screening_create_booking, "BookingService", "CreateBooking", Screening__V1__CreateBookingRequest,
     Screening__V1__Booking, booking)
CALL(screening_get_booking, "BookingService", "GetBooking", Screening__V1__GetBookingRequest,
     Screening__V1__Booking, booking)
CALL(screening_list_bookings, "BookingService", "ListBookings", Screening__V1__ListBookingsRequest,
     Screening__V1__ListBookingsResponse, list_bookings_response)
CALL(screening_cancel_booking, "BookingService", "CancelBooking", Screening__V1__CancelBookingRequest,
     Screening__V1__Booking, booking)
CALL(screening_register_hospital, "HospitalService", "RegisterHospital",
     Screening__V1__RegisterHospitalRequest, Screening__V1__Hospital, hospital)
CALL(screening_get_hospital, "HospitalService", "GetHospital", Screening__V1__GetHospitalRequest,
     Screening__V1__Hospital, hospital)
CALL(screening_list_hospitals, "HospitalService", "ListHospitals", Screening__V1__ListHospitalsRequest,
     Screening__V1__ListHospitalsResponse, list_hospitals_response)
CALL(screening_set_capacity, "HospitalService", "SetCapacity", Screening__V1__SetCapacityRequest,
     Screening__V1__ScreeningDay, screening_day)
CALL(screening_get_availability, "HospitalService", "GetAvailability", Screening__V1__GetAvailabilityRequest,
     Screening__V1__GetAvailabilityResponse, get_availability_response)
CALL(screening_delete_hospital, "HospitalService", "DeleteHospital", Screening__V1__DeleteHospitalRequest,
     Screening__V1__Hospital, hospital)
CALL(screening_get_booking_history, "HistoryService", "GetBookingHistory",
     Screening__V1__GetBookingHistoryRequest, Screening__V1__GetBookingHistoryResponse,
     get_booking_history_response)
CALL(screening_list_customer_history, "HistoryService", "ListCustomerHistory",
     Screening__V1__ListCustomerHistoryRequest, Screening__V1__ListCustomerHistoryResponse,
     list_customer_history_response)
CALL(screening_get_projection_status, "HistoryService", "GetProjectionStatus",
     Screening__V1__GetProjectionStatusRequest, Screening__V1__GetProjectionStatusResponse,
     get_projection_status_response)
CALL(screening_fetch, "EventLogService", "Fetch", Screening__V1__FetchRequest, Screening__V1__FetchResponse,
     fetch_response)

/* NOLINTEND(bugprone-macro-parentheses) */

/* ---- utilities ---- */

const char *screening_code_name(enum screening_code code)
{
    static const char *const names[] = {
        "OK",        "CANCELLED",       "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
        "NOT_FOUND", "ALREADY_EXISTS",  "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
        "ABORTED",   "OUT_OF_RANGE",    "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
        "DATA_LOSS", "UNAUTHENTICATED",
    };
    size_t number = (size_t)code;
    return number < sizeof names / sizeof names[0] ? names[number] : "UNRECOGNISED";
}

const char *screening_client_version(void)
{
    return SCREENING_CLIENT_VERSION;
}

/* As in RFC 9562, section 5.7, the id has 48 bits of milliseconds and is otherwise random. */
char *screening_new_id(char out[SCREENING_ID_SIZE])
{
    struct timespec now;
    uint8_t bytes[16];
    (void)clock_gettime(CLOCK_REALTIME, &now);
    uint64_t ms = (uint64_t)now.tv_sec * MS_PER_S + (uint64_t)now.tv_nsec / NS_PER_MS;
    while (getrandom(bytes, sizeof bytes, 0) !=
           (ssize_t)sizeof bytes) { /* EINTR, possible only until the kernel's random pool is initialised */
    }
    for (int i = 0; i < 6; i++)
        bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
    bytes[6] = (uint8_t)((bytes[6] & 0x0fu) | 0x70u);
    bytes[8] = (uint8_t)((bytes[8] & 0x3fu) | 0x80u);
    char *end = out;
    for (int i = 0; i < 16; i++) {
        static const char digits[] = "0123456789abcdef";
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *end++ = '-';
        *end++ = digits[bytes[i] >> 4];
        *end++ = digits[bytes[i] & 0x0fu];
    }
    *end = '\0';
    return out;
}
