#include "content.h"

#include <string.h>

#include "base/digest.h"
#include "base/unicode.h"

/* Makes the digest of the request with `name` as the customer's. */
static bool make_digest(const struct booking *request, const Screening__V1__CreateBookingRequest *sent,
                        const char *name, struct arena *arena, uint8_t out[BOOKING_HASH_BYTES])
{
    Screening__V1__CreateBookingRequest content = *sent;
    char booking_id[UUID_TEXT_SIZE], hospital_id[UUID_TEXT_SIZE];
    content.booking_id = uuid_format(&request->booking_id, booking_id);
    content.hospital_id = uuid_format(&request->hospital_id, hospital_id);
    content.headcount = request->headcount;
    content.customer_name = (char *)name; /* only read */
    size_t size = protobuf_c_message_get_packed_size(&content.base);
    uint8_t *packed = arena_alloc(arena, size);
    if (packed == NULL)
        return false;
    protobuf_c_message_pack(&content.base, packed);
    digest_sha256_128(packed, size, out);
    return true;
}

bool content_keep(const Screening__V1__CreateBookingRequest *sent, struct arena *arena,
                  struct booking *request)
{
    request->has_first_content = sent->base.n_unknown_fields > 0;
    return !request->has_first_content ||
           make_digest(request, sent, request->customer_name, arena, request->first_content);
}

/* Compares all fields of a request but the id. `name` is the customer's name of the booking. */
static bool has_same_fields(const struct booking *existing, const char *name, const struct booking *request)
{
    return uuid_equal(&existing->hospital_id, &request->hospital_id) &&
           strcmp(existing->customer_id, request->customer_id) == 0 &&
           strcmp(name, request->customer_name) == 0 && existing->day == request->day &&
           existing->headcount == request->headcount &&
           existing->queue_if_unavailable == request->queue_if_unavailable;
}

static bool compare_digests(const struct booking *existing, const struct booking *request,
                            const Screening__V1__CreateBookingRequest *sent, struct arena *arena, bool *same)
{
    uint8_t normal[BOOKING_HASH_BYTES], as_sent[BOOKING_HASH_BYTES];
    const char *name = unicode_tidy(existing->customer_name, arena);
    if (name == NULL || !make_digest(request, sent, request->customer_name, arena, normal) ||
        !make_digest(request, sent, sent->customer_name, arena, as_sent))
        return false;
    const bool is_old_name = name != existing->customer_name;
    *same = memcmp(existing->first_content, normal, BOOKING_HASH_BYTES) == 0 ||
            memcmp(existing->first_content, as_sent, BOOKING_HASH_BYTES) == 0 ||
            (is_old_name && has_same_fields(existing, name, request));
    return true;
}

bool content_compare(const struct booking *existing, const struct booking *request,
                     const Screening__V1__CreateBookingRequest *sent, struct arena *arena, bool *same)
{
    if (existing->has_first_content)
        return compare_digests(existing, request, sent, arena, same);
    *same = !request->has_first_content && has_same_fields(existing, existing->customer_name, request);
    return true;
}
