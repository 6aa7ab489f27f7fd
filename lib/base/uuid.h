/*
 * UUIDs, as 16 bytes internally and as text only at the edges. All functions may be called from any thread.
 */
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
 * Returns a new version 7 id. These ids are ordered by creation time, even within one millisecond of one
 * process.
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

/* Parses 8-4-4-4-12 hexadecimal digits in either case, of any version. Returns false for any other text
 * and for NULL. */
bool uuid_parse(const char *text, struct uuid *out);

/* Writes lower-case text with its NUL. Returns `out`. */
char *uuid_format(const struct uuid *uuid, char out[UUID_TEXT_SIZE]);

/* Compares like memcmp. The order of the bytes is also the order of the texts. */
int uuid_compare(const struct uuid *a, const struct uuid *b);

bool uuid_equal(const struct uuid *a, const struct uuid *b);
bool uuid_is_zero(const struct uuid *uuid);

#endif
