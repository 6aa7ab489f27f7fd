#include "base/digest.h"

#include <sha2.h>
#include <stdbool.h>
#include <string.h>

#include "base/siphash.h"

static const uint32_t NEVER_ZERO = UINT32_C(1) << 31;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

void digest_sha256_128(const void *bytes, size_t size, uint8_t out[DIGEST_SIZE])
{
    SHA2_CTX context;
    uint8_t whole[SHA256_DIGEST_LENGTH];
    SHA256Init(&context);
    SHA256Update(&context, bytes, size);
    SHA256Final(whole, &context);
    memcpy(out, whole, DIGEST_SIZE);
}

uint32_t digest_address(const char *address)
{
    enum { WORDS = 8 };
    uint64_t words[WORDS] = {0};
    uint32_t last = 0;
    size_t size = strnlen(address, sizeof words), kept = size;
    while (kept > 0 && is_digit(address[kept - 1]))
        kept--;
    for (size_t i = kept; i < size; i++)
        last = last * 10 + (uint32_t)(address[i] - '0');
    memcpy(words, address, kept);
    siphash_make_secret();
    return ((uint32_t)siphash(words, WORDS) + last) | NEVER_ZERO;
}
