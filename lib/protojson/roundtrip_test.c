/* Tests that random messages of every type survive the round trip through JSON unchanged, in each layout. */
#include "protojson/message_testing.h"
#include "protojson/protojson_testing.h"

#include "screening/v1/booking.pb-c.h"
#include "screening/v1/event.pb-c.h"
#include "screening/v1/history.pb-c.h"
#include "screening/v1/hospital.pb-c.h"

enum { MESSAGES_PER_TYPE = 60 };

static uint8_t *pack(const ProtobufCMessage *message, struct arena *arena, size_t *size)
{
    *size = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = arena_alloc(arena, *size + 1);
    assert_non_null(bytes);
    protobuf_c_message_pack(message, bytes);
    return bytes;
}

static void check_round_trip(const ProtobufCMessage *message, unsigned flags, struct arena *arena)
{
    struct error error = {.status = STATUS_OK};
    char *text = NULL;
    if (protojson_message_to_text(message, flags, &text, &error) != STATUS_OK)
        fail_msg("%s: %s", message->descriptor->name, error.message);
    const ProtobufCMessage *back = must_read(text, message->descriptor, 0, arena);
    size_t wanted_size = 0;
    size_t got_size = 0;
    const uint8_t *wanted = pack(message, arena, &wanted_size);
    const uint8_t *got = pack(back, arena, &got_size);
    if (wanted_size != got_size || memcmp(wanted, got, got_size) != 0)
        fail_msg("%s changed: %s", message->descriptor->name, text);
    assert_written(back, flags, text);
    free(text);
}

static void test_roundtrip_random_messages_of_every_type_stay_the_same(void **state)
{
    (void)state;
    static const unsigned layouts[] = {0, PROTOJSON_EMIT_DEFAULTS, PROTOJSON_INDENT};
    uint64_t seed = 20261201;
    struct arena arena;
    arena_init(&arena);
    for (size_t type = 0; type < test_message_type_count; type++) {
        for (unsigned i = 0; i < MESSAGES_PER_TYPE; i++) {
            const ProtobufCMessage *message = test_message(test_message_types[type], &seed, &arena);
            for (size_t layout = 0; layout < sizeof layouts / sizeof layouts[0]; layout++)
                check_round_trip(message, layouts[layout], &arena);
            arena_reset(&arena);
        }
    }
    arena_fini(&arena);
}

static void assert_in_table(const ProtobufCMessageDescriptor *descriptor)
{
    for (size_t i = 0; i < test_message_type_count; i++)
        if (test_message_types[i] == descriptor)
            return;
    fail_msg("%s is missing in test_message_types", descriptor->name);
}

/* Fails if a method is added to the API but its messages are not added to test_message_types. */
static void test_roundtrip_table_has_every_method_of_the_api(void **state)
{
    (void)state;
    static const ProtobufCServiceDescriptor *const services[] = {
        &screening__v1__hospital_service__descriptor, &screening__v1__booking_service__descriptor,
        &screening__v1__history_service__descriptor, &screening__v1__event_log_service__descriptor};
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++) {
        for (unsigned method = 0; method < services[i]->n_methods; method++) {
            assert_in_table(services[i]->methods[method].input);
            assert_in_table(services[i]->methods[method].output);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roundtrip_random_messages_of_every_type_stay_the_same),
        cmocka_unit_test(test_roundtrip_table_has_every_method_of_the_api),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
