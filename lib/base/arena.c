#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

/*
 * Chunk sizes double up to LAST_CHUNK_BYTES, so that a small arena uses little memory and a large one needs
 * few calls to malloc.
 */
enum {
    FIRST_CHUNK_BYTES = 4096,
    LAST_CHUNK_BYTES = 65536,
    ALIGNMENT = alignof(max_align_t),
    SMALL_TEXT_BYTES = 128
};

struct arena_chunk {
    struct arena_chunk *older;
    size_t capacity;
    alignas(max_align_t) unsigned char bytes[];
};

static void *protobuf_alloc(void *memory, size_t size)
{
    struct arena *arena = memory;
    CHECK(arena->allocator.allocator_data == arena); /* the arena must not have moved since arena_allocator */
    return arena_alloc(arena, size);
}

static void protobuf_free(void *arena, void *memory)
{
    /* Allocations are not freed one by one; arena_reset and arena_fini free all of them. */
    (void)arena;
    (void)memory;
}

void arena_init(struct arena *arena)
{
    *arena = (struct arena){.allocator = {.alloc = protobuf_alloc, .free = protobuf_free}};
}

void arena_fini(struct arena *arena)
{
    while (arena->chunks != NULL) {
        struct arena_chunk *chunk = arena->chunks;
        arena->chunks = chunk->older;
        free(chunk);
    }
    arena->used = 0;
}

void arena_reset(struct arena *arena)
{
    while (arena->chunks != NULL &&
           (arena->chunks->older != NULL || arena->chunks->capacity > LAST_CHUNK_BYTES)) {
        struct arena_chunk *chunk = arena->chunks;
        arena->chunks = chunk->older;
        free(chunk);
    }
    CHECK(arena->chunks == NULL || arena->chunks->older == NULL);
    arena->used = 0;
}

static bool add_chunk(struct arena *arena, size_t needed)
{
    size_t capacity = FIRST_CHUNK_BYTES;
    if (arena->chunks != NULL) {
        capacity =
            arena->chunks->capacity < LAST_CHUNK_BYTES / 2 ? 2 * arena->chunks->capacity : LAST_CHUNK_BYTES;
    }
    if (capacity < needed)
        capacity = needed;
    struct arena_chunk *chunk = malloc(sizeof *chunk + capacity);
    if (chunk == NULL)
        return false;
    chunk->older = arena->chunks;
    chunk->capacity = capacity;
    arena->chunks = chunk;
    arena->used = 0;
    return true;
}

void *arena_alloc(struct arena *arena, size_t size_bytes)
{
    if (size_bytes > SIZE_MAX / 2)
        return NULL;
    size_t needed = (size_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if ((arena->chunks == NULL || needed > arena->chunks->capacity - arena->used) &&
        !add_chunk(arena, needed))
        return NULL;
    unsigned char *memory = arena->chunks->bytes + arena->used;
    arena->used += needed;
    CHECK(arena->used <= arena->chunks->capacity);
    return memset(memory, 0, size_bytes);
}

size_t arena_bytes(const struct arena *arena)
{
    size_t bytes = 0;
    for (const struct arena_chunk *chunk = arena->chunks; chunk != NULL; chunk = chunk->older)
        bytes += sizeof *chunk + chunk->capacity;
    return bytes;
}

char *arena_strdup(struct arena *arena, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = arena_alloc(arena, size);
    return copy != NULL ? memcpy(copy, text, size) : NULL;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    char small[SMALL_TEXT_BYTES]; /* most texts fit, and are formatted once */
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(small, sizeof small, format, arguments);
    va_end(arguments);
    char *text = length >= 0 ? arena_alloc(arena, (size_t)length + 1) : NULL;
    if (text == NULL)
        return NULL;
    if ((size_t)length < sizeof small)
        return memcpy(text, small, (size_t)length + 1);
    va_start(arguments, format);
    (void)vsnprintf(text, (size_t)length + 1, format, arguments); /* returns the same length as above */
    va_end(arguments);
    return text;
}

ProtobufCAllocator *arena_allocator(struct arena *arena)
{
    arena->allocator.allocator_data = arena; /* set here because the arena may have moved since arena_init */
    return &arena->allocator;
}
