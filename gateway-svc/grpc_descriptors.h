/*
 * The .proto files of the public services, compiled in as serialized FileDescriptorProtos, for reflection.
 * Methods that are not public are left out; a file without such methods is served byte by byte as protoc
 * wrote it. Does not change once it is open; any thread.
 */
#ifndef SCREENING_GATEWAY_SVC_GRPC_DESCRIPTORS_H
#define SCREENING_GATEWAY_SVC_GRPC_DESCRIPTORS_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

enum { GRPC_FILES_MAX = 32, GRPC_SERVICES_MAX = 32 };

struct grpc_descriptors;

/* A file and those that it imports, also indirectly; the imported ones come first. */
struct grpc_files {
    ProtobufCBinaryData files[GRPC_FILES_MAX];
    size_t count;
};

/* Returns whether a method, such as "GetBooking" of "screening.v1.BookingService", is public. */
typedef bool (*grpc_is_public_fn)(const void *context, const char *service, const char *method);

/* Calls `is_public` for each method. Returns RESOURCE_EXHAUSTED when out of memory. */
MUST_CHECK enum status grpc_descriptors_open(grpc_is_public_fn is_public, const void *context,
                                             struct grpc_descriptors **out, struct error *error);

/* NULL is allowed. */
void grpc_descriptors_close(struct grpc_descriptors *descriptors);

/* Sets `names` to the names of all services that have public methods. Returns their number. */
size_t grpc_descriptors_services(const struct grpc_descriptors *descriptors,
                                 const char *names[GRPC_SERVICES_MAX]);

/* Finds a file by its name, such as "screening/v1/types.proto". Returns false if there is none. */
bool grpc_descriptors_by_name(const struct grpc_descriptors *descriptors, const char *name,
                              struct grpc_files *out);

/*
 * Finds the file that declares a message, an enum, a service or a method, such as "screening.v1.Booking" or
 * "screening.v1.BookingService.GetBooking". Returns false if there is none.
 */
bool grpc_descriptors_by_symbol(const struct grpc_descriptors *descriptors, const char *symbol,
                                struct grpc_files *out);

#endif
