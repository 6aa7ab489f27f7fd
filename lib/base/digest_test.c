#include <sys/wait.h>
#include <unistd.h>

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

/* Returns the number of the address in another process, whose secret is another. */
static uint32_t digest_elsewhere(const char *address)
{
    uint32_t digest = 0;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        digest = digest_address(address);
        _exit(write(ends[1], &digest, sizeof digest) != sizeof digest);
    }
    assert_int_equal(read(ends[0], &digest, sizeof digest), sizeof digest);
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(ends[0]);
    close(ends[1]);
    return digest;
}

/* Must be the first test that uses the secret. */
static void test_digest_address_depends_on_the_process(void **state)
{
    (void)state;
    uint32_t first = digest_elsewhere("192.0.2.1"), second = digest_elsewhere("192.0.2.1");
    assert_int_not_equal(first, second);
    uint32_t own = digest_address("192.0.2.1");
    assert_int_not_equal(own, first);
    assert_int_equal(digest_address("192.0.2.1"), own);
    assert_int_equal(digest_elsewhere("192.0.2.1"), own); /* the secret exists now */
}

static void test_digest_address_of_neighbours_is_as_far_apart(void **state)
{
    (void)state;
    uint32_t low = digest_address("192.0.2.1") & INT32_MAX;
    assert_int_equal(digest_address("192.0.2.8") & INT32_MAX, (low + 7) & INT32_MAX);
    assert_int_equal(digest_address("192.0.2.60") & INT32_MAX, (low + 59) & INT32_MAX);
    assert_int_not_equal(digest_address("192.0.3.1") & INT32_MAX, low);
    assert_int_not_equal(digest_address("2001:db8::/64"), digest_address("2001:db9::/64"));
    assert_int_not_equal(digest_address(""), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digest_known_input_gives_the_standards_bytes),
        cmocka_unit_test(test_digest_address_depends_on_the_process),
        cmocka_unit_test(test_digest_address_of_neighbours_is_as_far_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
