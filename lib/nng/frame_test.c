#include <string.h>

#include "base/unit_testing.h"
#include "nng/frame.h"

/*
 * Writes a greeting and messages of 3, 0 and 300 bytes, with ipc's type byte before each message if `is_ipc`.
 * Returns the total size.
 */
static size_t write_stream(uint8_t *out, bool is_ipc)
{
    static const uint16_t sizes[] = {3, 0, 300};
    uint8_t *at = out;
    static const uint8_t greeting[] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};
    memcpy(at, greeting, sizeof greeting);
    at += sizeof greeting;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        if (is_ipc)
            *at++ = 1;
        memset(at, 0, 6);
        at[6] = (uint8_t)(sizes[i] >> 8);
        at[7] = (uint8_t)sizes[i];
        at += 8;
        memset(at, 0xff, sizes[i]);
        at += sizes[i];
    }
    return (size_t)(at - out);
}

static void test_frame_finds_messages_however_they_are_cut(void **state)
{
    (void)state;
    uint8_t stream[512];
    for (int ipc = 0; ipc < 2; ipc++) {
        size_t size = write_stream(stream, ipc == 1);
        for (size_t step = 1; step <= size; step++) {
            struct frame frame;
            frame_init(&frame, ipc == 1);
            size_t messages = 0;
            for (size_t at = 0; at < size; at += step)
                messages += frame_take(&frame, stream + at, at + step < size ? step : size - at);
            assert_int_equal(messages, 3);
            assert_int_equal(frame.place, FRAME_BETWEEN);
        }
    }
}

static void test_frame_reports_its_position(void **state)
{
    (void)state;
    uint8_t stream[512];
    size_t size = write_stream(stream, false);
    struct frame frame;
    frame_init(&frame, false);
    assert_int_equal(frame_take(&frame, stream, 7), 0);
    assert_int_equal(frame.place, FRAME_GREETING);
    assert_int_equal(frame_take(&frame, stream + 7, 1), 0);
    assert_int_equal(frame.place, FRAME_BETWEEN);
    assert_int_equal(frame_take(&frame, stream + 8, 1), 0);
    assert_int_equal(frame.place, FRAME_LENGTH);
    assert_int_equal(frame_take(&frame, stream + 9, 7), 0);
    assert_int_equal(frame.place, FRAME_BODY);
    assert_int_equal(frame.size_bytes, 3);
    assert_int_equal(frame_take(&frame, stream + 16, size - 17), 2); /* all but the last byte */
    assert_int_equal(frame.place, FRAME_BODY);
    assert_int_equal(frame.size_bytes, 300);
    assert_int_equal(frame.left_bytes, 1);
}

static void test_frame_takes_any_length(void **state)
{
    (void)state;
    struct frame frame;
    frame_init(&frame, false);
    assert_int_equal(frame_take(&frame, (const uint8_t *)"GET / HTTP/1.1\r\n", 16), 0);
    assert_int_equal(frame.place, FRAME_BODY); /* the transport closes the connection */
    assert_true(frame.size_bytes > UINT64_C(1) << 56);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frame_finds_messages_however_they_are_cut),
        cmocka_unit_test(test_frame_reports_its_position),
        cmocka_unit_test(test_frame_takes_any_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
