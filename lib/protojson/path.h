/*
 * A position in a message, for error messages: a chain of steps on the stack of the encoder or the decoder.
 */
#ifndef SCREENING_PROTOJSON_PATH_H
#define SCREENING_PROTOJSON_PATH_H

#include <stddef.h>

#include "base/status.h"

/* One step: into the field `name`, or, if that is NULL, to element `index` of the preceding field. */
struct protojson_path {
    const struct protojson_path *parent; /* NULL for the first step */
    const char *name;
    size_t index;
};

/*
 * Fills `error` with "days[2].capacity: RULE", or with only the rule if `path` is NULL (the whole message).
 * Returns `status`. Steps may contain untrusted text, so each is cut to 64 bytes and its control characters
 * are replaced.
 */
enum status protojson_refuse(struct error *error, enum status status, const struct protojson_path *path,
                             const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
