#include "base/instant.h"
#include "base/unit_testing.h"

static void test_instant_written_counts_nanos_forward_and_reads_back(void **state)
{
    (void)state;
    static const struct {
        int64_t instant_us;
        int64_t seconds;
        int32_t nanos;
    } CASES[] = {
        {0, 0, 0},
        {1, 0, 1000},
        {INT64_C(1764547200123456), 1764547200, 123456000},
        {-1, -1, 999999000},
        {-1000000, -1, 0},
        {-1000001, -2, 999999000},
        {-1500000, -2, 500000000},
        {INT64_C(-62135596800000000), INT64_C(-62135596800), 0},         /* 0001-01-01 */
        {INT64_C(253402300799999999), INT64_C(253402300799), 999999000}, /* 9999-12-31 */
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        Google__Protobuf__Timestamp timestamp;
        instant_write(CASES[i].instant_us, &timestamp);
        assert_int_equal(timestamp.seconds, CASES[i].seconds);
        assert_int_equal(timestamp.nanos, CASES[i].nanos);
        int64_t instant_us = 42;
        assert_true(instant_read(&timestamp, &instant_us));
        assert_int_equal(instant_us, CASES[i].instant_us);
    }
}

static void test_instant_read_rounds_down_before_1970_too(void **state)
{
    (void)state;
    Google__Protobuf__Timestamp timestamp = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    int64_t instant_us;
    timestamp.seconds = -1;
    timestamp.nanos = 1999;
    assert_true(instant_read(&timestamp, &instant_us));
    assert_int_equal(instant_us, -999999);
}

static void test_instant_read_other_timestamps_are_refused_and_leave_out_alone(void **state)
{
    (void)state;
    static const struct {
        int64_t seconds;
        int32_t nanos;
    } CASES[] = {{INT64_C(-62135596801), 0},
                 {INT64_C(253402300800), 0},
                 {INT64_MIN, 0},
                 {INT64_MAX, 0},
                 {0, -1},
                 {0, 1000000000},
                 {0, INT32_MIN},
                 {0, INT32_MAX}};
    int64_t instant_us = 42;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        Google__Protobuf__Timestamp timestamp = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
        timestamp.seconds = CASES[i].seconds;
        timestamp.nanos = CASES[i].nanos;
        assert_false(instant_read(&timestamp, &instant_us));
    }
    assert_false(instant_read(NULL, &instant_us));
    assert_int_equal(instant_us, 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_instant_written_counts_nanos_forward_and_reads_back),
        cmocka_unit_test(test_instant_read_rounds_down_before_1970_too),
        cmocka_unit_test(test_instant_read_other_timestamps_are_refused_and_leave_out_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
