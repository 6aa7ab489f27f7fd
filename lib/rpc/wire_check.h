/* What protobuf-c's unpack lets through: checked on the packed bytes before it. Pure; any thread. */
#ifndef SCREENING_RPC_WIRE_CHECK_H
#define SCREENING_RPC_WIRE_CHECK_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/*
 * INVALID_ARGUMENT "path.to.field: rule" if a string field holds invalid UTF-8 or NUL, if messages nest
 * deeper than 16, or if the bytes are not a message at all ("payload: not a valid screening.v1.X").
 */
MUST_CHECK enum status wire_check(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes,
                                  size_t size, struct error *error);

#endif
