#include <ctype.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/unit_testing.h"
#include "base/uuid.h"

static const size_t IDS_PER_THREAD = 20000;
enum { THREADS = 4 };

static int64_t fixed_now_us(void)
{
    return 1764549000123456;
}

static int64_t earlier_now_us(void)
{
    return 1764549000000000;
}

static int compare_ids(const void *a, const void *b)
{
    return uuid_compare(a, b);
}

static void assert_version(const struct uuid *uuid, int version)
{
    assert_int_equal(uuid->bytes[6] >> 4, version);
    assert_int_equal(uuid->bytes[8] >> 6, 2);
}

/* Must run first, because the ids of a process only increase. */
static void test_uuid_v7_carries_the_time(void **state)
{
    (void)state;
    clock_replace(fixed_now_us);
    struct uuid uuid = uuid_v7();
    clock_replace(NULL);
    uint64_t ms = 0;
    for (size_t i = 0; i < 6; i++)
        ms = ms << 8 | uuid.bytes[i];
    assert_int_equal(ms, 1764549000123);
    assert_int_equal((uuid.bytes[6] & 0x0f) << 8 | uuid.bytes[7], 456 * 4096 / 1000);
    assert_version(&uuid, 7);
}

static void test_uuid_v7_grows_when_the_clock_stops_or_steps_back(void **state)
{
    (void)state;
    clock_replace(fixed_now_us);
    struct uuid last = uuid_v7();
    for (size_t i = 0; i < 10000; i++) {
        clock_replace(i % 2 == 0 ? fixed_now_us : earlier_now_us);
        struct uuid next = uuid_v7();
        assert_true(uuid_compare(&last, &next) < 0);
        assert_version(&next, 7);
        last = next;
    }
    clock_replace(NULL);
}

static void *make_ids(void *out)
{
    struct uuid *ids = out;
    for (size_t i = 0; i < IDS_PER_THREAD; i++)
        ids[i] = uuid_v7();
    return NULL;
}

static void test_uuid_v7_of_many_threads_are_ordered_and_unique(void **state)
{
    (void)state;
    struct uuid *ids = test_malloc(sizeof *ids * THREADS * IDS_PER_THREAD);
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_ids, ids + i * IDS_PER_THREAD), 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (size_t i = 1; i < THREADS * IDS_PER_THREAD; i++)
        assert_true(i % IDS_PER_THREAD == 0 || uuid_compare(&ids[i - 1], &ids[i]) < 0);
    qsort(ids, THREADS * IDS_PER_THREAD, sizeof *ids, compare_ids);
    for (size_t i = 1; i < THREADS * IDS_PER_THREAD; i++) {
        /* Only the 60 ordered bits are compared. */
        assert_true(memcmp(&ids[i - 1], &ids[i], 8) < 0);
    }
    test_free(ids);
}

static void test_uuid_v4_is_random(void **state)
{
    (void)state;
    struct uuid ids[1000];
    for (size_t i = 0; i < 1000; i++) {
        ids[i] = uuid_v4();
        assert_version(&ids[i], 4);
    }
    qsort(ids, 1000, sizeof ids[0], compare_ids);
    for (size_t i = 1; i < 1000; i++)
        assert_false(uuid_equal(&ids[i - 1], &ids[i]));
}

static void test_uuid_v4_after_fork_differs_in_the_child(void **state)
{
    (void)state;
    int ends[2];
    (void)uuid_v4();
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    struct uuid own = uuid_v4();
    if (child == 0)
        _exit(write(ends[1], &own, sizeof own) == (ssize_t)sizeof own ? 0 : 1);
    struct uuid childs;
    int result = -1;
    assert_int_equal(read(ends[0], &childs, sizeof childs), sizeof childs);
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
    assert_false(uuid_equal(&own, &childs));
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void test_uuid_v5_matches_the_rfc(void **state)
{
    (void)state;
    char text[UUID_TEXT_SIZE];
    struct uuid uuid = uuid_v5(&UUID_NAMESPACE_DNS, "www.example.com", 15);
    assert_string_equal(uuid_format(&uuid, text), "2ed6657d-e927-568b-95e1-2665a8aea6a2");
    assert_string_equal(uuid_format(&UUID_NAMESPACE_DNS, text), "6ba7b810-9dad-11d1-80b4-00c04fd430c8");
}

static void test_uuid_parse_reads_what_format_writes(void **state)
{
    (void)state;
    char text[UUID_TEXT_SIZE];
    for (size_t i = 0; i < 100; i++) {
        struct uuid uuid = uuid_v4();
        struct uuid read;
        assert_true(uuid_parse(uuid_format(&uuid, text), &read));
        assert_true(uuid_equal(&uuid, &read));
    }
}

static void test_uuid_parse_takes_upper_case(void **state)
{
    (void)state;
    char text[UUID_TEXT_SIZE];
    struct uuid uuid;
    assert_true(uuid_parse("2ED6657D-E927-568B-95E1-2665A8AEA6A2", &uuid));
    assert_string_equal(uuid_format(&uuid, text), "2ed6657d-e927-568b-95e1-2665a8aea6a2");
}

static void test_uuid_parse_takes_no_other_byte_for_a_digit(void **state)
{
    (void)state;
    struct uuid uuid;
    for (int byte = 0; byte < 256; byte++) {
        char text[] = "2ed6657d-e927-568b-95e1-2665a8aea6a2";
        text[7] = (char)byte;
        assert_int_equal(uuid_parse(text, &uuid), isxdigit(byte) != 0);
        if (isxdigit(byte)) {
            assert_int_equal(uuid.bytes[3] >> 4, 7);
            assert_int_equal(uuid.bytes[3] & 0x0f, isdigit(byte) ? byte - '0' : tolower(byte) - 'a' + 10);
        }
    }
}

static void test_uuid_parse_other_text_is_refused_and_leaves_out_alone(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {
        NULL,
        "",
        "2ed6657d",
        "2ed6657d-e927-568b-95e1-2665a8aea6a",
        "2ed6657d-e927-568b-95e1-2665a8aea6a22",
        "2ed6657d-e927-568b-95e1-2665a8aea6ag",
        "2ed6657de-927-568b-95e1-2665a8aea6a2",
        "2ed6657de927568b95e12665a8aea6a2",
        "{2ed6657d-e927-568b-95e1-2665a8aea6a2}",
        " 2ed6657d-e927-568b-95e1-2665a8aea6a2",
        "2ed6657d-e927-568b-95e1-2665a8aea6a2 ",
    };
    struct uuid out = {{1, 2, 3}};
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++)
        assert_false(uuid_parse(TEXTS[i], &out));
    assert_true(out.bytes[0] == 1 && out.bytes[1] == 2 && out.bytes[2] == 3);
}

static void test_uuid_compare_orders_as_bytes(void **state)
{
    (void)state;
    static const struct uuid ZERO;
    const struct uuid low = {{0x7f}};
    const struct uuid high = {{0x80}};
    assert_true(uuid_compare(&low, &high) < 0);
    assert_true(uuid_compare(&high, &low) > 0);
    assert_true(uuid_equal(&low, &low));
    assert_false(uuid_equal(&low, &high));
    assert_true(uuid_is_zero(&ZERO));
    assert_false(uuid_is_zero(&low));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uuid_v7_carries_the_time),
        cmocka_unit_test(test_uuid_v7_grows_when_the_clock_stops_or_steps_back),
        cmocka_unit_test(test_uuid_v7_of_many_threads_are_ordered_and_unique),
        cmocka_unit_test(test_uuid_v4_is_random),
        cmocka_unit_test(test_uuid_v4_after_fork_differs_in_the_child),
        cmocka_unit_test(test_uuid_v5_matches_the_rfc),
        cmocka_unit_test(test_uuid_parse_reads_what_format_writes),
        cmocka_unit_test(test_uuid_parse_takes_upper_case),
        cmocka_unit_test(test_uuid_parse_takes_no_other_byte_for_a_digit),
        cmocka_unit_test(test_uuid_parse_other_text_is_refused_and_leaves_out_alone),
        cmocka_unit_test(test_uuid_compare_orders_as_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
