/* Reads one JSON value into a field that is not a message. */
#ifndef SCREENING_PROTOJSON_SCALAR_H
#define SCREENING_PROTOJSON_SCALAR_H

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "protojson/path.h"

/*
 * Reads `json` into `slot`, which holds one value of the field's type. Text and bytes are copied to `arena`.
 * Returns INVALID_ARGUMENT "PATH: RULE" if `json` is not a value of that type, and RESOURCE_EXHAUSTED when
 * out of memory. On failure, `slot` is unchanged.
 */
MUST_CHECK enum status protojson_scalar_read(const ProtobufCFieldDescriptor *field, const json_t *json,
                                             const struct protojson_path *path, struct arena *arena,
                                             void *slot, struct error *error);

#endif
