#include "http_mapping.h"

#include "http_status.h"

#include <string.h>

#include "base/clock.h"

#include "screening/v1/words.h"

/* Indexed by enum status. */
static const struct {
    unsigned rest, connect;
    const char *word;
} codes[STATUS_COUNT] = {
    [STATUS_CANCELLED] = {HTTP_CLIENT_CLOSED_REQUEST, HTTP_CLIENT_CLOSED_REQUEST, "canceled"},
    [STATUS_UNKNOWN] = {HTTP_INTERNAL_SERVER_ERROR, HTTP_INTERNAL_SERVER_ERROR, "unknown"},
    [STATUS_INVALID_ARGUMENT] = {HTTP_UNPROCESSABLE_CONTENT, HTTP_BAD_REQUEST, "invalid_argument"},
    [STATUS_DEADLINE_EXCEEDED] = {HTTP_GATEWAY_TIMEOUT, HTTP_GATEWAY_TIMEOUT, "deadline_exceeded"},
    [STATUS_NOT_FOUND] = {HTTP_NOT_FOUND, HTTP_NOT_FOUND, "not_found"},
    [STATUS_ALREADY_EXISTS] = {HTTP_CONFLICT, HTTP_CONFLICT, "already_exists"},
    [STATUS_PERMISSION_DENIED] = {HTTP_FORBIDDEN, HTTP_FORBIDDEN, "permission_denied"},
    [STATUS_RESOURCE_EXHAUSTED] = {HTTP_TOO_MANY_REQUESTS, HTTP_TOO_MANY_REQUESTS, "resource_exhausted"},
    [STATUS_FAILED_PRECONDITION] = {HTTP_CONFLICT, HTTP_BAD_REQUEST, "failed_precondition"},
    [STATUS_ABORTED] = {HTTP_CONFLICT, HTTP_CONFLICT, "aborted"},
    [STATUS_OUT_OF_RANGE] = {HTTP_UNPROCESSABLE_CONTENT, HTTP_BAD_REQUEST, "out_of_range"},
    [STATUS_UNIMPLEMENTED] = {HTTP_NOT_IMPLEMENTED, HTTP_NOT_IMPLEMENTED, "unimplemented"},
    [STATUS_INTERNAL] = {HTTP_INTERNAL_SERVER_ERROR, HTTP_INTERNAL_SERVER_ERROR, "internal"},
    [STATUS_UNAVAILABLE] = {HTTP_SERVICE_UNAVAILABLE, HTTP_SERVICE_UNAVAILABLE, "unavailable"},
    [STATUS_DATA_LOSS] = {HTTP_INTERNAL_SERVER_ERROR, HTTP_INTERNAL_SERVER_ERROR, "data_loss"},
    [STATUS_UNAUTHENTICATED] = {HTTP_UNAUTHORIZED, HTTP_UNAUTHORIZED, "unauthenticated"},
};

static bool is_failure(enum status status)
{
    return status > STATUS_OK && (int)status < STATUS_COUNT;
}

unsigned http_rest_code(const struct error *error)
{
    /* hospital-svc was unreachable. The client cannot fix that, so the code is not 409. */
    if (strcmp(error->reason, SCREENING_REASON_HOSPITAL_UNAVAILABLE) == 0)
        return HTTP_SERVICE_UNAVAILABLE;
    if (strcmp(error->reason, SCREENING_REASON_VERSION_MISMATCH) == 0)
        return HTTP_PRECONDITION_FAILED;
    return is_failure(error->status) ? codes[error->status].rest : HTTP_INTERNAL_SERVER_ERROR;
}

unsigned http_connect_code(enum status status)
{
    return is_failure(status) ? codes[status].connect : HTTP_INTERNAL_SERVER_ERROR;
}

const char *http_connect_word(enum status status)
{
    return is_failure(status) ? codes[status].word : "unknown";
}

const char *http_public_message(const struct error *error)
{
    switch (error->status) {
    case STATUS_UNAVAILABLE:
        return "the service is not available now: ask again with the same id";
    case STATUS_DEADLINE_EXCEEDED:
        return "no answer in time: the outcome is unknown, ask again with the same id";
    case STATUS_UNKNOWN:
    case STATUS_INTERNAL:
    case STATUS_DATA_LOSS:
        return "internal error";
    default:
        return error->message;
    }
}

unsigned http_retry_after_s(const struct error *error, unsigned rest_code)
{
    if (error->retry_after_ms > 0)
        return error->retry_after_ms / MS_PER_S + (error->retry_after_ms % MS_PER_S > 0 ? 1 : 0);
    return rest_code == HTTP_SERVICE_UNAVAILABLE ? 1 : 0;
}

bool http_is_public(const ProtobufCServiceDescriptor *service, const ProtobufCMethodDescriptor *method)
{
    static const char *const INTERNAL[] = {
        "screening.v1.HospitalService/Reserve",          "screening.v1.HospitalService/BatchReserve",
        "screening.v1.HospitalService/ListReservations", "screening.v1.BookingService/LookUpBookings",
        "screening.v1.BookingService/AbandonBooking",    "screening.v1.EventLogService/Fetch"};
    size_t length = strlen(service->name);

    for (size_t i = 0; i < sizeof INTERNAL / sizeof INTERNAL[0]; i++)
        if (strncmp(INTERNAL[i], service->name, length) == 0 && INTERNAL[i][length] == '/' &&
            strcmp(INTERNAL[i] + length + 1, method->name) == 0)
            return false;
    return true;
}
