#include "content.h"

#include <string.h>

#include "base/digest.h"
#include "base/unicode.h"

static bool hash(const Screening__V1__CreateBookingRequest *content, struct arena *arena,
                 uint8_t out[BOOKING_HASH_BYTES])
{
    size_t size = protobuf_c_message_get_packed_size(&content->base);
    uint8_t *packed = arena_alloc(arena, size);
    if (packed == NULL)
        return false;
    protobuf_c_message_pack(&content->base, packed);
    digest_sha256_128(packed, size, out);
    return true;
}

bool content_hash(const Screening__V1__CreateBookingRequest *input, struct arena *arena,
                  struct booking *request)
{
    Screening__V1__CreateBookingRequest content = *input;
    char booking_id[UUID_TEXT_SIZE], hospital_id[UUID_TEXT_SIZE];
    content.booking_id = uuid_format(&request->booking_id, booking_id);
    content.hospital_id = uuid_format(&request->hospital_id, hospital_id);
    content.headcount = request->headcount;
    content.customer_name = (char *)request->customer_name; /* only read */
    if (!hash(&content, arena, request->content_hash))
        return false;
    memcpy(request->content_as_sent, request->content_hash, BOOKING_HASH_BYTES);
    if (request->customer_name == input->customer_name) /* the name was already normalized */
        return true;
    content.customer_name = input->customer_name;
    return hash(&content, arena, request->content_as_sent);
}

static bool has_same_fields(const struct booking *a, const struct booking *b)
{
    return uuid_equal(&a->hospital_id, &b->hospital_id) && strcmp(a->customer_id, b->customer_id) == 0 &&
           strcmp(a->customer_name, b->customer_name) == 0 && a->day == b->day &&
           a->headcount == b->headcount && a->queue_if_unavailable == b->queue_if_unavailable;
}

const struct booking *content_as_kept_now(const struct booking *existing, const struct booking *request,
                                          struct arena *arena, struct booking *copy)
{
    const char *name = unicode_tidy(existing->customer_name, arena);
    if (name == NULL || name == existing->customer_name)
        return existing;
    *copy = *existing;
    copy->customer_name = name;
    if (has_same_fields(copy, request))
        memcpy(copy->content_hash, request->content_hash, BOOKING_HASH_BYTES);
    return copy;
}
