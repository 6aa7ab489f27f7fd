/*
 * A hash map from fixed-size keys (at most 32 bytes) to pointers. Not thread-safe. The map owns copies of the
 * keys but never the values. Iteration order is unspecified.
 */
#ifndef SCREENING_BASE_MAP_H
#define SCREENING_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

enum { MAP_KEY_MAX_BYTES = 32 };

struct map_slot;

struct map {
    struct map_slot *slots;
    size_t slot_count;
    size_t count;
    size_t key_size_bytes;
};

/* Initialises an empty map. Allocates no memory. */
void map_init(struct map *map, size_t key_size_bytes);
void map_fini(struct map *map);

/* Removes every entry. Keeps the memory for reuse, unless it has room for more than 4096 slots. */
void map_clear(struct map *map);

/* Returns the value stored under `key`, or NULL if there is none. */
void *map_get(const struct map *map, const void *key);

/*
 * Stores `value` (not NULL) under `key`, replacing any earlier value. Returns RESOURCE_EXHAUSTED when out of
 * memory.
 */
MUST_CHECK enum status map_put(struct map *map, const void *key, void *value);

/* Removes and returns the value stored under `key`. Returns NULL if there is none. */
void *map_remove(struct map *map, const void *key);

/*
 * Returns the next entry's value, or NULL at the end. Start with *position = 0. If `key` is not NULL, sets
 * *key to the entry's key, which is in the map. Do not call map_remove or map_put during the iteration.
 */
void *map_next(const struct map *map, size_t *position, const void **key);

#endif
