#include "rest_routes.h"

#include <stdio.h>
#include <string.h>

static const char HOSPITALS[] = "screening.v1.HospitalService";
static const char BOOKINGS[] = "screening.v1.BookingService";
static const char HISTORIES[] = "screening.v1.HistoryService";

static const struct rest_route routes[] = {
    {"POST", "/bookings", BOOKINGS, .rpc = "CreateBooking", .body = REST_BODY_REQUIRED, .id = "booking_id"},
    {"GET", "/bookings", BOOKINGS, .rpc = "ListBookings"},
    {"GET", "/bookings/{bookingId}", BOOKINGS, .rpc = "GetBooking"},
    {"DELETE", "/bookings/{bookingId}", BOOKINGS, .rpc = "CancelBooking"},
    {"POST", "/bookings/{bookingId}/cancel", BOOKINGS, .rpc = "CancelBooking", .body = REST_BODY_OPTIONAL},
    {"POST", "/hospitals", HOSPITALS, .rpc = "RegisterHospital", .body = REST_BODY_REQUIRED,
     .id = "hospital_id"},
    {"GET", "/hospitals", HOSPITALS, .rpc = "ListHospitals"},
    {"GET", "/hospitals/{hospitalId}", HOSPITALS, .rpc = "GetHospital"},
    {"DELETE", "/hospitals/{hospitalId}", HOSPITALS, .rpc = "DeleteHospital"},
    {"PUT", "/hospitals/{hospitalId}/days/{date}", HOSPITALS, .rpc = "SetCapacity",
     .body = REST_BODY_REQUIRED, .if_match = "expected_version"},
    {"GET", "/hospitals/{hospitalId}/availability", HOSPITALS, .rpc = "GetAvailability"},
    {"GET", "/bookingHistories", HISTORIES, .rpc = "ListCustomerHistory"},
    {"GET", "/bookingHistories/{bookingId}", HISTORIES, .rpc = "GetBookingHistory"},
};

static size_t segment_size(const char *segment)
{
    return strcspn(segment, "/");
}

/*
 * Returns whether a path matches a pattern, and sets the parameters of the match. A name in braces in the
 * pattern matches any segment that is not empty.
 */
static bool matches(const char *pattern, const char *path, struct rest_match *match)
{
    match->parameter_count = 0;
    while (*pattern == '/' && *path == '/') {
        size_t wanted = segment_size(++pattern), given = segment_size(++path);
        if (pattern[0] == '{' && given > 0)
            match->parameters[match->parameter_count++] =
                (struct rest_parameter){pattern + 1, wanted - strlen("{}"), path, given};
        else if (wanted != given || memcmp(pattern, path, wanted) != 0)
            return false;
        pattern += wanted;
        path += given;
    }
    return *pattern == '\0' && *path == '\0';
}

static void allow_method(char allow[REST_ALLOW_SIZE], const char *method)
{
    size_t used = strlen(allow);
    const char *also = strcmp(method, "GET") == 0 ? ", HEAD" : "";
    snprintf(allow + used, REST_ALLOW_SIZE - used, "%s%s%s", used > 0 ? ", " : "", method, also);
}

bool rest_route_find(const char *method, const char *path, struct rest_match *match,
                     char allow[REST_ALLOW_SIZE])
{
    allow[0] = '\0';
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (!matches(routes[i].pattern, path, match))
            continue;
        match->route = &routes[i];
        if (strcmp(method, routes[i].method) == 0)
            return true;
        allow_method(allow, routes[i].method);
    }
    return false;
}
