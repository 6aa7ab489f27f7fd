/*
 * A bump allocator: many small allocations, freed together. Not thread-safe: one owner at a time.
 */
#ifndef SCREENING_BASE_ARENA_H
#define SCREENING_BASE_ARENA_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

struct arena_chunk;

struct arena {
    struct arena_chunk *chunks; /* newest first */
    size_t used;                /* bytes used in the newest chunk */
    ProtobufCAllocator allocator;
};

/* Initialises an empty arena. Allocates no memory. */
void arena_init(struct arena *arena);

/* Frees everything. The arena may be initialised again afterwards. */
void arena_fini(struct arena *arena);

/*
 * Drops every allocation. Keeps the first chunk for reuse, unless a large allocation made it exceed 64 KiB.
 */
void arena_reset(struct arena *arena);

/*
 * Returns `size_bytes` of zeroed memory aligned for any type, or NULL when out of memory. The memory is valid
 * until arena_reset or arena_fini.
 */
void *arena_alloc(struct arena *arena, size_t size_bytes);

/* Returns the number of bytes of memory that the arena holds. */
size_t arena_bytes(const struct arena *arena);

/* Returns a copy of `text` in the arena, or NULL when out of memory. */
char *arena_strdup(struct arena *arena, const char *text);

/* Returns a formatted string in the arena, or NULL when out of memory. */
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Returns the allocator for protobuf-c's unpack functions. A message unpacked with it lives until arena_reset
 * or arena_fini, so never call its free function. The arena owns the allocator and must not move in memory
 * while it is in use.
 */
ProtobufCAllocator *arena_allocator(struct arena *arena);

#endif
