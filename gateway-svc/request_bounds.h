/* Limits the size of an HTTP request by the method that it calls. Pure. */
#ifndef SCREENING_GATEWAY_SVC_REQUEST_BOUNDS_H
#define SCREENING_GATEWAY_SVC_REQUEST_BOUNDS_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

#include "base/status.h"

/* The largest body_bytes of any method. */
enum { REQUEST_BODY_MAX = 262144 };

struct request_bounds {
    size_t body_bytes;  /* the maximum size of the body in any encoding */
    size_t json_values; /* the maximum number of values in a JSON text, including objects and arrays */
};

/*
 * Returns the limits for a request message of type `input` (NULL = unknown method): 8 KiB and 128 values,
 * unless request_bounds.c declares more for its method.
 */
struct request_bounds request_bounds_of(const ProtobufCMessageDescriptor *input);

/* Returns INVALID_ARGUMENT if the text has more values than `input` allows. Faster than parsing. */
MUST_CHECK enum status request_bounds_check_json(const ProtobufCMessageDescriptor *input, const char *text,
                                                 size_t size, struct error *error);

#endif
