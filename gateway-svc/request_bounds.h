/* Limits the size of an HTTP request by the method that it calls. Pure. */
#ifndef SCREENING_GATEWAY_SVC_REQUEST_BOUNDS_H
#define SCREENING_GATEWAY_SVC_REQUEST_BOUNDS_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

#include "base/status.h"

struct request_bounds {
    size_t body_bytes;  /* size of the body in any encoding */
    size_t json_values; /* number of values in a JSON text, including objects and arrays */
};

/* Returns the limits for a request message of this type. NULL = unknown method. */
struct request_bounds request_bounds_of(const ProtobufCMessageDescriptor *input);

/* Returns INVALID_ARGUMENT if the text has more values than this type allows. Costs a fraction of parsing. */
MUST_CHECK enum status request_bounds_check_json(const ProtobufCMessageDescriptor *input, const char *text,
                                                 size_t size, struct error *error);

#endif
