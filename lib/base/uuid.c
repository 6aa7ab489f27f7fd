/*
 * Version 7: 48 bits of milliseconds, then 12 bits that hold the fraction of the millisecond (RFC 9562, 6.2,
 * method 3), then 62 random bits. The milliseconds and the fraction form the tick, which strictly increases
 * within a process. `last_tick` is the last one used.
 */
#include "base/uuid.h"

#include <sha1.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/random.h"

enum { TICKS_PER_MS = 4096 };

const struct uuid UUID_NAMESPACE_DNS = {
    {0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8}};

static _Atomic uint64_t last_tick;

static void stamp_version(struct uuid *uuid, unsigned version)
{
    uuid->bytes[6] = (uint8_t)((uuid->bytes[6] & 0x0fu) | version << 4);
    uuid->bytes[8] = (uint8_t)((uuid->bytes[8] & 0x3fu) | 0x80u);
}

/*
 * Returns the current tick, or the last tick used plus one if that is later. In the latter case the ids are
 * ahead of the clock.
 */
static uint64_t next_tick(void)
{
    uint64_t now_us = (uint64_t)clock_now_us();
    uint64_t now = now_us / US_PER_MS * TICKS_PER_MS + now_us % US_PER_MS * TICKS_PER_MS / US_PER_MS;
    uint64_t last = atomic_load_explicit(&last_tick, memory_order_relaxed);
    uint64_t next;
    do {
        next = now > last ? now : last + 1;
    } while (!atomic_compare_exchange_weak_explicit(&last_tick, &last, next, memory_order_relaxed,
                                                    memory_order_relaxed));
    return next;
}

struct uuid uuid_v7(void)
{
    struct uuid uuid;
    uint64_t tick = next_tick();
    for (size_t i = 0; i < 6; i++)
        uuid.bytes[i] = (uint8_t)(tick >> (52 - 8 * i));
    uuid.bytes[6] = (uint8_t)(tick >> 8 & 0x0fu);
    uuid.bytes[7] = (uint8_t)tick;
    random_fill(uuid.bytes + 8, 8);
    stamp_version(&uuid, 7);
    return uuid;
}

struct uuid uuid_v4(void)
{
    struct uuid uuid;
    random_fill(uuid.bytes, sizeof uuid.bytes);
    stamp_version(&uuid, 4);
    return uuid;
}

struct uuid uuid_v5(const struct uuid *name_space, const void *name, size_t size)
{
    SHA1_CTX context;
    uint8_t digest[SHA1_DIGEST_LENGTH];
    SHA1Init(&context);
    SHA1Update(&context, name_space->bytes, sizeof name_space->bytes);
    SHA1Update(&context, name, size);
    SHA1Final(digest, &context);

    struct uuid uuid;
    memcpy(uuid.bytes, digest, sizeof uuid.bytes);
    stamp_version(&uuid, 5);
    return uuid;
}

bool uuid_parse(const char *text, struct uuid *out)
{
    struct uuid uuid;
    if (text == NULL || !hex_read(text, uuid.bytes, 4) || text[8] != '-' ||
        !hex_read(text + 9, uuid.bytes + 4, 2) || text[13] != '-' ||
        !hex_read(text + 14, uuid.bytes + 6, 2) || text[18] != '-' ||
        !hex_read(text + 19, uuid.bytes + 8, 2) || text[23] != '-' ||
        !hex_read(text + 24, uuid.bytes + 10, 6) || text[36] != '\0')
        return false;
    *out = uuid;
    return true;
}

char *uuid_format(const struct uuid *uuid, char out[UUID_TEXT_SIZE])
{
    char *end = hex_write(out, uuid->bytes, 4);
    for (size_t group = 0; group < 3; group++) {
        *end++ = '-';
        end = hex_write(end, uuid->bytes + 4 + 2 * group, 2);
    }
    *end++ = '-';
    end = hex_write(end, uuid->bytes + 10, 6);
    *end = '\0';
    return out;
}

int uuid_compare(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

bool uuid_equal(const struct uuid *a, const struct uuid *b)
{
    return uuid_compare(a, b) == 0;
}

bool uuid_is_zero(const struct uuid *uuid)
{
    static const struct uuid ZERO;
    return uuid_equal(uuid, &ZERO);
}
