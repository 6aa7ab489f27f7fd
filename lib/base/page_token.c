/*
 * A token is 32 bytes in hexadecimal: major (big-endian), id, and a checksum over both and the query. The
 * checksum detects damage and mix-ups. It is not a signature, because a position is not secret and grants no
 * access.
 */
#include "base/page_token.h"

#include <assert.h>
#include <string.h>

#include "base/digest.h"
#include "base/hex.h"

enum { MAJOR_SIZE = 8, ID_SIZE = 16, POSITION_SIZE = MAJOR_SIZE + ID_SIZE, CHECK_SIZE = 8 };
enum { TOKEN_BYTES = POSITION_SIZE + CHECK_SIZE };
static_assert(2 * TOKEN_BYTES + 1 == PAGE_TOKEN_SIZE, "a token fills its text");

static void compute_check(const uint8_t position[POSITION_SIZE], const char *query, uint8_t out[CHECK_SIZE])
{
    uint8_t input[POSITION_SIZE + DIGEST_SIZE];
    uint8_t digest[DIGEST_SIZE];
    memcpy(input, position, POSITION_SIZE);
    digest_sha256_128(query, strlen(query), input + POSITION_SIZE);
    digest_sha256_128(input, sizeof input, digest);
    memcpy(out, digest, CHECK_SIZE);
}

char *page_token_format(const struct page_position *position, const char *query, char out[PAGE_TOKEN_SIZE])
{
    uint8_t token[TOKEN_BYTES];
    uint64_t major = (uint64_t)position->major;
    for (size_t i = 0; i < MAJOR_SIZE; i++)
        token[i] = (uint8_t)(major >> (8 * (MAJOR_SIZE - 1 - i)));
    memcpy(token + MAJOR_SIZE, position->id.bytes, ID_SIZE);
    compute_check(token, query, token + POSITION_SIZE);
    *hex_write(out, token, sizeof token) = '\0';
    return out;
}

enum status page_token_parse(const char *token, const char *query, struct page_position *out,
                             struct error *error)
{
    uint8_t bytes[TOKEN_BYTES];
    uint8_t check[CHECK_SIZE];
    if (token == NULL || !hex_read(token, bytes, sizeof bytes) || token[2 * sizeof bytes] != '\0')
        return error_invalid(error, "page_token: must be a next_page_token");
    compute_check(bytes, query, check);
    if (memcmp(check, bytes + POSITION_SIZE, CHECK_SIZE) != 0)
        return error_invalid(error, "page_token: must be the next_page_token of the same query");
    uint64_t major = 0;
    for (size_t i = 0; i < MAJOR_SIZE; i++)
        major = major << 8 | bytes[i];
    out->major = (int64_t)major;
    memcpy(out->id.bytes, bytes + MAJOR_SIZE, ID_SIZE);
    return STATUS_OK;
}

enum status page_size_check(uint32_t requested, uint32_t *out, struct error *error)
{
    if (requested > PAGE_SIZE_MAX)
        return error_invalid(error, "page_size: must be at most %d", PAGE_SIZE_MAX);
    *out = requested != 0 ? requested : PAGE_SIZE_DEFAULT;
    return STATUS_OK;
}

/*
 * The largest header of a protobuf field: a tag of one byte (for field numbers up to 15) and a length of at
 * most five bytes.
 */
enum { FIELD_HEADER_BYTES = 6 };

void page_room_init(struct page_room *room, size_t response_max_bytes)
{
    const size_t token_bytes = FIELD_HEADER_BYTES + PAGE_TOKEN_SIZE - 1;
    *room = (struct page_room){.left_bytes =
                                   response_max_bytes > token_bytes ? response_max_bytes - token_bytes : 0};
}

bool page_room_take(struct page_room *room, size_t item_bytes)
{
    const size_t wanted = FIELD_HEADER_BYTES + item_bytes;
    if (wanted > room->left_bytes && room->has_items)
        return false;
    room->left_bytes -= wanted < room->left_bytes ? wanted : room->left_bytes;
    room->has_items = true;
    return true;
}
