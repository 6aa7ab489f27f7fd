/* Where in a message a walker stands, for error messages: a chain of steps on the walkers' stacks. */
#ifndef SCREENING_PROTOJSON_PATH_H
#define SCREENING_PROTOJSON_PATH_H

#include <stddef.h>

#include "base/status.h"

/* One step: into the field `name`, or, where that is NULL, to the element `index` of the field before. */
struct protojson_path {
    const struct protojson_path *parent; /* NULL for the first step */
    const char *name;
    size_t index;
};

/*
 * Fills `error` with "days[2].capacity: RULE", or with the rule alone where `path` is NULL (the whole
 * message), and returns `status`. Steps may come from outside: each is cut at 64 bytes, without control
 * characters.
 */
enum status protojson_refuse(struct error *error, enum status status, const struct protojson_path *path,
                             const char *format, ...) __attribute__((format(printf, 4, 5)));

/* RESOURCE_EXHAUSTED "out of memory". */
enum status protojson_out_of_memory(struct error *error);

#endif
