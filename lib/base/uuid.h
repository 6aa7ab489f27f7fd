/* UUIDs: 16 bytes internally, text only in messages and logs. All functions may be called from any thread. */
#ifndef SCREENING_BASE_UUID_H
#define SCREENING_BASE_UUID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UUID_TEXT_SIZE = 37 }; /* with the terminating NUL */

struct uuid {
    uint8_t bytes[16];
};

/*
 * Returns a new version 7 id. The ids of a process are ordered by creation time, even within a millisecond.
 */
struct uuid uuid_v7(void);

/* Returns a random version 4 id. */
struct uuid uuid_v4(void);

/*
 * Returns the version 5 id of the `size` bytes at `name` in the namespace. The same input gives the same id.
 */
struct uuid uuid_v5(const struct uuid *name_space, const void *name, size_t size);

/* The DNS namespace of RFC 9562. */
extern const struct uuid UUID_NAMESPACE_DNS;

/*
 * Parses a UUID of any version, 8-4-4-4-12 hexadecimal digits in either case. Returns false for any other
 * text and for NULL.
 */
bool uuid_parse(const char *text, struct uuid *out);

/* Writes lower-case text and a NUL. Returns `out`. */
char *uuid_format(const struct uuid *uuid, char out[UUID_TEXT_SIZE]);

/* Compares like memcmp. The order of the bytes is also the order of the texts. */
int uuid_compare(const struct uuid *a, const struct uuid *b);

bool uuid_equal(const struct uuid *a, const struct uuid *b);
bool uuid_is_zero(const struct uuid *uuid);

#endif
