#include "base/digest.h"

#include <sha2.h>
#include <string.h>

void digest_sha256_128(const void *bytes, size_t size, uint8_t out[DIGEST_SIZE])
{
    SHA2_CTX context;
    uint8_t whole[SHA256_DIGEST_LENGTH];
    SHA256Init(&context);
    SHA256Update(&context, bytes, size);
    SHA256Final(whole, &context);
    memcpy(out, whole, DIGEST_SIZE);
}

uint32_t digest_text(const char *text)
{
    enum { FNV_PRIME = 0x01000193 };
    uint32_t hash = UINT32_C(0x811c9dc5); /* FNV-1a */
    for (const char *c = text; *c != '\0'; c++)
        hash = (hash ^ (uint8_t)*c) * FNV_PRIME;
    return hash != 0 ? hash : 1;
}
