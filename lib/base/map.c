/*
 * Open addressing with linear probing. An entry sits at its home slot or after it, with no empty slot in
 * between. Removal closes the gap, so there are no tombstones. The secret of the hash is generated before the
 * first entry of any map.
 */
#include "base/map.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/siphash.h"

enum { FIRST_SLOTS = 16, KEPT_SLOTS = 4096, WORD_SIZE = sizeof(uint64_t) };

struct map_slot {
    void *value;    /* NULL = empty */
    uint64_t key[]; /* key_words(map) words, the last one zero-padded */
};

static size_t key_words(const struct map *map)
{
    return (map->key_size_bytes + WORD_SIZE - 1) / WORD_SIZE;
}

static size_t slot_size(const struct map *map)
{
    return sizeof(struct map_slot) + key_words(map) * WORD_SIZE;
}

static struct map_slot *slot_at(const struct map *map, size_t index)
{
    return (struct map_slot *)(void *)((char *)map->slots + index * slot_size(map));
}

static size_t home_of(const struct map *map, const uint64_t *key)
{
    return (size_t)siphash(key, key_words(map)) & (map->slot_count - 1);
}

static void load_key(const struct map *map, const void *key, uint64_t words[MAP_KEY_MAX_BYTES / WORD_SIZE])
{
    words[key_words(map) - 1] = 0;
    memcpy(words, key, map->key_size_bytes);
}

/* Returns the slot that holds the key, or the empty slot where it belongs. The map always has an empty
 * slot. */
static size_t find(const struct map *map, const uint64_t *key)
{
    size_t index = home_of(map, key);
    while (slot_at(map, index)->value != NULL &&
           memcmp(slot_at(map, index)->key, key, key_words(map) * WORD_SIZE) != 0)
        index = (index + 1) & (map->slot_count - 1);
    return index;
}

void map_init(struct map *map, size_t key_size_bytes)
{
    CHECK(key_size_bytes > 0 && key_size_bytes <= MAP_KEY_MAX_BYTES);
    *map = (struct map){.key_size_bytes = key_size_bytes};
}

void map_fini(struct map *map)
{
    free(map->slots);
    map_init(map, map->key_size_bytes);
}

void map_clear(struct map *map)
{
    if (map->slot_count > KEPT_SLOTS) {
        map_fini(map);
    } else if (map->count > 0) {
        memset(map->slots, 0, map->slot_count * slot_size(map));
        map->count = 0;
    }
}

void *map_get(const struct map *map, const void *key)
{
    if (map->count == 0)
        return NULL;
    uint64_t words[MAP_KEY_MAX_BYTES / WORD_SIZE];
    load_key(map, key, words);
    return slot_at(map, find(map, words))->value;
}

static enum status grow(struct map *map)
{
    struct map larger = *map;
    larger.slot_count = map->slot_count > 0 ? 2 * map->slot_count : FIRST_SLOTS;
    larger.slots = calloc(larger.slot_count, slot_size(map));
    if (larger.slots == NULL)
        return STATUS_RESOURCE_EXHAUSTED;
    siphash_make_secret();
    CHECK((larger.slot_count & (larger.slot_count - 1)) == 0 && larger.slot_count > map->count);
    for (size_t i = 0; i < map->slot_count; i++) {
        const struct map_slot *slot = slot_at(map, i);
        if (slot->value != NULL)
            memcpy(slot_at(&larger, find(&larger, slot->key)), slot, slot_size(map));
    }
    free(map->slots);
    *map = larger;
    return STATUS_OK;
}

enum status map_put(struct map *map, const void *key, void *value)
{
    CHECK(value != NULL);
    /* Keep the map at most three quarters full. */
    if (map->count + 1 > map->slot_count / 4 * 3 && grow(map) != STATUS_OK)
        return STATUS_RESOURCE_EXHAUSTED;
    uint64_t words[MAP_KEY_MAX_BYTES / WORD_SIZE];
    load_key(map, key, words);
    struct map_slot *slot = slot_at(map, find(map, words));
    if (slot->value == NULL) {
        memcpy(slot->key, words, key_words(map) * WORD_SIZE);
        map->count++;
    }
    slot->value = value;
    CHECK(map->count < map->slot_count); /* otherwise find would loop forever */
    return STATUS_OK;
}

/* Moves later entries into the gap if their home slots allow it, then empties the last gap. */
static void close_gap(struct map *map, size_t gap)
{
    const size_t mask = map->slot_count - 1;
    for (size_t index = (gap + 1) & mask; slot_at(map, index)->value != NULL; index = (index + 1) & mask) {
        size_t home = home_of(map, slot_at(map, index)->key);
        if (((index - home) & mask) >= ((index - gap) & mask)) {
            memcpy(slot_at(map, gap), slot_at(map, index), slot_size(map));
            gap = index;
        }
    }
    slot_at(map, gap)->value = NULL;
}

void *map_remove(struct map *map, const void *key)
{
    if (map->count == 0)
        return NULL;
    uint64_t words[MAP_KEY_MAX_BYTES / WORD_SIZE];
    load_key(map, key, words);
    size_t index = find(map, words);
    void *value = slot_at(map, index)->value;
    if (value != NULL) {
        CHECK(map->count > 0);
        close_gap(map, index);
        map->count--;
    }
    return value;
}

void *map_next(const struct map *map, size_t *position, const void **key)
{
    while (*position < map->slot_count) {
        const struct map_slot *slot = slot_at(map, (*position)++);
        if (slot->value != NULL) {
            if (key != NULL)
                *key = slot->key;
            return slot->value;
        }
    }
    return NULL;
}
