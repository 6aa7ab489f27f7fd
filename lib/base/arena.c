#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

/* The sizes of chunks double, so that small requests use little memory and big ones need few mallocs. */
enum { FIRST_CHUNK_BYTES = 4096, LAST_CHUNK_BYTES = 65536, ALIGNMENT = alignof(max_align_t) };

struct arena_chunk {
    struct arena_chunk *older;
    size_t capacity;
    alignas(max_align_t) unsigned char bytes[];
};

static void *protobuf_alloc(void *memory, size_t size)
{
    struct arena *arena = memory;
    CHECK(arena->allocator.allocator_data == arena); /* it has not moved since arena_allocator */
    return arena_alloc(arena, size);
}

static void protobuf_free(void *arena, void *memory)
{
    /* The arena frees everything together. */
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

char *arena_strdup(struct arena *arena, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = arena_alloc(arena, size);
    return copy != NULL ? memcpy(copy, text, size) : NULL;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *text = length >= 0 ? arena_alloc(arena, (size_t)length + 1) : NULL;
    if (text == NULL)
        return NULL;
    va_start(arguments, format);
    (void)vsnprintf(text, (size_t)length + 1, format, arguments); /* is as long as measured above */
    va_end(arguments);
    return text;
}

ProtobufCAllocator *arena_allocator(struct arena *arena)
{
    arena->allocator.allocator_data = arena; /* set here because an arena may move before its first use */
    return &arena->allocator;
}
