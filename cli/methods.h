/* Finds methods in the compiled-in descriptors. Pure. */
#ifndef SCREENING_CLI_METHODS_H
#define SCREENING_CLI_METHODS_H

#include "session.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

struct method_service {
    const ProtobufCServiceDescriptor *descriptor;
    bool served_by[PEER_COUNT];
};

extern const struct method_service METHOD_SERVICES[];
extern const size_t METHOD_SERVICE_COUNT;

/*
 * Finds a method by a name such as "CreateBooking", "BookingService/CreateBooking" or
 * "screening.v1.BookingService/CreateBooking". Returns its service and sets *method, or returns NULL if there
 * is none.
 */
const struct method_service *method_find(const char *name, const ProtobufCMethodDescriptor **method);

/* Returns the only peer that serves the methods of `service`, or PEER_COUNT if there are several. */
enum peer_name method_only_peer(const struct method_service *service);

#endif
