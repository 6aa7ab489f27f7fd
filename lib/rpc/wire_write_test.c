#include "rpc/rpc_testing.h"
#include "rpc/wire.h"

#include "rpc/v1/envelope.pb-c.h"

static void test_wire_write_varint_has_protobufs_form(void **state)
{
    (void)state;
    static const struct {
        uint64_t value;
        size_t size;
    } cases[] = {{0, 1},     {1, 1},     {127, 1},        {128, 2},
                 {16383, 2}, {16384, 3}, {UINT32_MAX, 5}, {UINT64_MAX, 10}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t bytes[10];
        assert_int_equal(wire_varint_size(cases[i].value), cases[i].size);
        assert_int_equal(wire_put_varint(bytes, cases[i].value) - bytes, cases[i].size);
        uint64_t read = 0;
        for (size_t at = 0; at < cases[i].size; at++) {
            read |= (uint64_t)(bytes[at] & 0x7f) << (7 * at);
            assert_int_equal(bytes[at] >> 7, at + 1 < cases[i].size);
        }
        assert_true(read == cases[i].value);
    }
}

static void test_wire_write_fields_equal_what_protobuf_c_packs(void **state)
{
    (void)state;
    uint8_t payload[300];
    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = (uint8_t)i;
    Rpc__V1__Response message = RPC__V1__RESPONSE__INIT;
    message.code = 9;
    message.payload.data = payload;
    message.payload.len = sizeof payload;
    message.retry_after_ms = 300;
    uint8_t expected[400];
    size_t expected_size = rpc__v1__response__get_packed_size(&message);
    assert_true(expected_size <= sizeof expected);
    rpc__v1__response__pack(&message, expected);

    uint8_t written[400];
    size_t size =
        wire_varint_field_size(1, 9) + wire_bytes_size(3, sizeof payload) + wire_varint_field_size(6, 300);
    uint8_t *at = wire_put_varint_field(written, 1, 9);
    at = wire_put_bytes(at, 3, payload, sizeof payload);
    at = wire_put_varint_field(at, 6, 300);
    assert_int_equal(size, expected_size);
    assert_int_equal(at - written, expected_size);
    assert_memory_equal(written, expected, expected_size);
}

static void test_wire_write_fixed64_is_tag_and_little_endian(void **state)
{
    (void)state;
    const uint8_t expected[] = {5 << 3 | 1, 0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01};
    uint8_t written[sizeof expected];
    assert_int_equal(wire_fixed64_field_size(5), sizeof expected);
    assert_int_equal(wire_put_fixed64_field(written, 5, 0x0123456789abcdef) - written, sizeof expected);
    assert_memory_equal(written, expected, sizeof expected);
}

static void test_wire_write_empty_bytes_is_tag_and_zero(void **state)
{
    (void)state;
    uint8_t written[8];
    assert_int_equal(wire_bytes_size(4, 0), 2);
    assert_int_equal(wire_put_bytes(written, 4, NULL, 0) - written, 2);
    assert_int_equal(written[0], 4 << 3 | 2);
    assert_int_equal(written[1], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wire_write_varint_has_protobufs_form),
        cmocka_unit_test(test_wire_write_fields_equal_what_protobuf_c_packs),
        cmocka_unit_test(test_wire_write_fixed64_is_tag_and_little_endian),
        cmocka_unit_test(test_wire_write_empty_bytes_is_tag_and_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
