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
