/* One JSON value as one value of a field that is no message. */
#ifndef SCREENING_PROTOJSON_SCALAR_H
#define SCREENING_PROTOJSON_SCALAR_H

#include "path.h"

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"

/*
 * Reads `json` into `slot`, which holds one value of the field's type; text and bytes are copied to `arena`.
 * INVALID_ARGUMENT "PATH: RULE" if it is none, RESOURCE_EXHAUSTED when out of memory; then `slot` stays as
 * is.
 */
MUST_CHECK enum status protojson_scalar_read(const ProtobufCFieldDescriptor *field, const json_t *json,
                                             const struct protojson_path *path, struct arena *arena,
                                             void *slot, struct error *error);

#endif
