#include "base/digest.h"
#include "base/unit_testing.h"

static void test_digest_known_input_gives_the_standards_bytes(void **state)
{
    (void)state;
    static const uint8_t OF_ABC[DIGEST_SIZE] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea,
                                                0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23};
    static const uint8_t OF_NOTHING[DIGEST_SIZE] = {0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14,
                                                    0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24};
    uint8_t digest[DIGEST_SIZE];
    digest_sha256_128("abc", 3, digest);
    assert_memory_equal(digest, OF_ABC, DIGEST_SIZE);
    digest_sha256_128("", 0, digest);
    assert_memory_equal(digest, OF_NOTHING, DIGEST_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digest_known_input_gives_the_standards_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
