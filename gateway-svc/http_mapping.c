#include "http_mapping.h"

#include <string.h>

enum {
    BAD_REQUEST = 400,
    UNAUTHORIZED = 401,
    FORBIDDEN = 403,
    NOT_FOUND = 404,
    CONFLICT = 409,
    PRECONDITION_FAILED = 412,
    UNPROCESSABLE = 422,
    TOO_MANY_REQUESTS = 429,
    CLIENT_CLOSED = 499, /* the Connect protocol's code for a cancelled call */
    SERVER_ERROR = 500,
    NOT_IMPLEMENTED = 501,
    UNAVAILABLE = 503,
    GATEWAY_TIMEOUT = 504,
};

/* By enum status. */
static const struct {
    unsigned rest, connect;
    const char *word;
} codes[STATUS_COUNT] = {
    [STATUS_CANCELLED] = {CLIENT_CLOSED, CLIENT_CLOSED, "canceled"},
    [STATUS_UNKNOWN] = {SERVER_ERROR, SERVER_ERROR, "unknown"},
    [STATUS_INVALID_ARGUMENT] = {UNPROCESSABLE, BAD_REQUEST, "invalid_argument"},
    [STATUS_DEADLINE_EXCEEDED] = {GATEWAY_TIMEOUT, GATEWAY_TIMEOUT, "deadline_exceeded"},
    [STATUS_NOT_FOUND] = {NOT_FOUND, NOT_FOUND, "not_found"},
    [STATUS_ALREADY_EXISTS] = {CONFLICT, CONFLICT, "already_exists"},
    [STATUS_PERMISSION_DENIED] = {FORBIDDEN, FORBIDDEN, "permission_denied"},
    [STATUS_RESOURCE_EXHAUSTED] = {TOO_MANY_REQUESTS, TOO_MANY_REQUESTS, "resource_exhausted"},
    [STATUS_FAILED_PRECONDITION] = {CONFLICT, BAD_REQUEST, "failed_precondition"},
    [STATUS_ABORTED] = {CONFLICT, CONFLICT, "aborted"},
    [STATUS_OUT_OF_RANGE] = {UNPROCESSABLE, BAD_REQUEST, "out_of_range"},
    [STATUS_UNIMPLEMENTED] = {NOT_IMPLEMENTED, NOT_IMPLEMENTED, "unimplemented"},
    [STATUS_INTERNAL] = {SERVER_ERROR, SERVER_ERROR, "internal"},
    [STATUS_UNAVAILABLE] = {UNAVAILABLE, UNAVAILABLE, "unavailable"},
    [STATUS_DATA_LOSS] = {SERVER_ERROR, SERVER_ERROR, "data_loss"},
    [STATUS_UNAUTHENTICATED] = {UNAUTHORIZED, UNAUTHORIZED, "unauthenticated"},
};

static bool is_failure(enum status status)
{
    return status > STATUS_OK && (int)status < STATUS_COUNT;
}

unsigned http_rest_code(const struct error *error)
{
    /* hospital-svc was unreachable. The client can't resolve that, so it is not a conflict. */
    if (strcmp(error->reason, "HOSPITAL_UNAVAILABLE") == 0)
        return UNAVAILABLE;
    if (strcmp(error->reason, "VERSION_MISMATCH") == 0)
        return PRECONDITION_FAILED;
    return is_failure(error->status) ? codes[error->status].rest : SERVER_ERROR;
}

unsigned http_connect_code(enum status status)
{
    return is_failure(status) ? codes[status].connect : SERVER_ERROR;
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
    enum { MS_PER_S = 1000 };

    if (error->retry_after_ms > 0)
        return error->retry_after_ms / MS_PER_S + (error->retry_after_ms % MS_PER_S > 0 ? 1 : 0);
    return rest_code == UNAVAILABLE ? 1 : 0;
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
