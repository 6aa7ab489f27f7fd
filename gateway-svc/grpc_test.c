#include "grpc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/unit_testing.h"

#include "google/protobuf/descriptor.pb-c.h"

static void test_grpc_unframe_takes_exactly_one_message(void **state)
{
    (void)state;
    const char *message;
    size_t size;
    assert_int_equal(grpc_unframe("\0\0\0\0\2ab", 7, &message, &size, NULL), STATUS_OK);
    assert_int_equal(size, 2);
    assert_memory_equal(message, "ab", 2);
    assert_int_equal(grpc_unframe("\0\0\0\0\0", 5, &message, &size, NULL), STATUS_OK);
    assert_int_equal(size, 0);
    const struct {
        const char *body;
        size_t size;
    } wrong[] = {{"", 0},
                 {"\0\0\0\0", 4},
                 {"\0\0\0\0\2a", 6},
                 {"\0\0\0\0\0\0\0\0\0\0", 10},
                 {"\0\377\377\377\377", 5},
                 {"\1\0\0\0\2ab", 7}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(grpc_unframe(wrong[i].body, wrong[i].size, &message, &size, NULL),
                         STATUS_UNIMPLEMENTED);
}

static void test_grpc_timeout_parse_rounds_up_and_is_bounded(void **state)
{
    (void)state;
    const struct {
        const char *text;
        uint32_t ms;
    } right[] = {{"1n", 1},    {"1000000n", 1}, {"1000001n", 2}, {"1500u", 2},         {"250m", 250},
                 {"3S", 3000}, {"1M", 60000},   {"2M", 60000},   {"99999999H", 60000}, {"00000001m", 1}};
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        uint32_t ms = 0;
        assert_int_equal(grpc_timeout_parse(right[i].text, 60000, &ms, NULL), STATUS_OK);
        assert_int_equal(ms, right[i].ms);
    }
    for (uint32_t hours = 97357800; hours < 97357830; hours++) { /* around 2^64 ns and more of them */
        char text[16];
        uint32_t ms = 0;
        (void)snprintf(text, sizeof text, "%" PRIu32 "H", hours);
        assert_int_equal(grpc_timeout_parse(text, 600000, &ms, NULL), STATUS_OK);
        assert_int_equal(ms, 600000);
    }
    const char *const wrong[] = {"", "m", "1", "1s", "-1m", "+1m", " 1m", "1 m", "1m ", "123456789m", "1mm"};
    uint32_t ms;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(grpc_timeout_parse(wrong[i], 60000, &ms, NULL), STATUS_INVALID_ARGUMENT);
    assert_int_equal(grpc_timeout_parse("0S", 60000, &ms, NULL), STATUS_DEADLINE_EXCEEDED);
}

static void test_grpc_message_is_percent_encoded(void **state)
{
    (void)state;
    char out[64];
    grpc_encode_message("a 100% ~\t\r\n서", out);
    assert_string_equal(out, "a 100%25 ~%09%0D%0A%EC%84%9C");
    grpc_encode_message("  a b ", out);
    assert_string_equal(out, "%20 a b%20");
    grpc_encode_message(" ", out);
    assert_string_equal(out, "%20");
    grpc_encode_message("", out);
    assert_string_equal(out, "");
}

extern const char gateway_descriptor_set[];
extern const size_t gateway_descriptor_set_size;

typedef Google__Protobuf__FileDescriptorSet file_set;

static Google__Protobuf__MethodDescriptorProto *find_method(file_set *set, const char *name)
{
    for (size_t f = 0; f < set->n_file; f++)
        for (size_t s = 0; s < set->file[f]->n_service; s++)
            for (size_t m = 0; m < set->file[f]->service[s]->n_method; m++)
                if (strcmp(set->file[f]->service[s]->method[m]->name, name) == 0)
                    return set->file[f]->service[s]->method[m];
    fail();
    return NULL;
}

/* Expects a refusal if `method` had the options of `other`, or none. */
static void assert_rule_refused(const char *method, const char *other, const char *message)
{
    struct error error;
    file_set *set = google__protobuf__file_descriptor_set__unpack(NULL, gateway_descriptor_set_size,
                                                                  (const uint8_t *)gateway_descriptor_set);
    assert_non_null(set);
    Google__Protobuf__MethodDescriptorProto *changed = find_method(set, method);
    Google__Protobuf__MethodOptions *options = changed->options;
    changed->options = other != NULL ? find_method(set, other)->options : NULL;
    const size_t size = google__protobuf__file_descriptor_set__get_packed_size(set);
    uint8_t *packed = malloc(size);
    assert_non_null(packed);
    google__protobuf__file_descriptor_set__pack(set, packed);
    assert_int_equal(grpc_check_rules(packed, size, &error), STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.message, message);
    changed->options = options;
    google__protobuf__file_descriptor_set__free_unpacked(set, NULL);
    free(packed);
}

static void test_grpc_serves_only_methods_whose_rule_is_open(void **state)
{
    (void)state;
    struct error error;
    assert_int_equal(grpc_check_rules(gateway_descriptor_set, gateway_descriptor_set_size, &error),
                     STATUS_OK);
    assert_rule_refused("Watch", NULL, "grpc.health.v1.Health/Watch: the method has no access rule");
    assert_rule_refused(
        "ServerReflectionInfo", NULL,
        "grpc.reflection.v1.ServerReflection/ServerReflectionInfo: the method has no access rule");
    assert_rule_refused("Check", "CancelBooking",
                        "grpc.health.v1.Health/Check: is served without a token, so its rule must be open");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grpc_unframe_takes_exactly_one_message),
        cmocka_unit_test(test_grpc_timeout_parse_rounds_up_and_is_bounded),
        cmocka_unit_test(test_grpc_message_is_percent_encoded),
        cmocka_unit_test(test_grpc_serves_only_methods_whose_rule_is_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
