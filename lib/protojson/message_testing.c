#include "protojson/message_testing.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "protojson/field.h"
#include "protojson/protojson_testing.h"

#include "protojson_test.pb-c.h"
#include "screening/v1/booking.pb-c.h"
#include "screening/v1/event.pb-c.h"
#include "screening/v1/history.pb-c.h"
#include "screening/v1/hospital.pb-c.h"

enum { LEVELS_MAX = 4, ELEMENTS_MAX = 3 };

const ProtobufCMessageDescriptor *const test_message_types[] = {
    &screening__v1__screening_day__descriptor,
    &screening__v1__hospital__descriptor,
    &screening__v1__booking__descriptor,
    &screening__v1__register_hospital_request__descriptor,
    &screening__v1__get_hospital_request__descriptor,
    &screening__v1__list_hospitals_request__descriptor,
    &screening__v1__list_hospitals_response__descriptor,
    &screening__v1__set_capacity_request__descriptor,
    &screening__v1__get_availability_request__descriptor,
    &screening__v1__get_availability_response__descriptor,
    &screening__v1__delete_hospital_request__descriptor,
    &screening__v1__reserve_request__descriptor,
    &screening__v1__reserve_response__descriptor,
    &screening__v1__reserve_result__descriptor,
    &screening__v1__batch_reserve_request__descriptor,
    &screening__v1__batch_reserve_response__descriptor,
    &screening__v1__reservation__descriptor,
    &screening__v1__list_reservations_request__descriptor,
    &screening__v1__list_reservations_response__descriptor,
    &screening__v1__create_booking_request__descriptor,
    &screening__v1__get_booking_request__descriptor,
    &screening__v1__list_bookings_request__descriptor,
    &screening__v1__list_bookings_response__descriptor,
    &screening__v1__cancel_booking_request__descriptor,
    &screening__v1__booking_state__descriptor,
    &screening__v1__look_up_bookings_request__descriptor,
    &screening__v1__look_up_bookings_response__descriptor,
    &screening__v1__abandon_booking_request__descriptor,
    &screening__v1__booking_summary__descriptor,
    &screening__v1__history_entry__descriptor,
    &screening__v1__get_booking_history_request__descriptor,
    &screening__v1__get_booking_history_response__descriptor,
    &screening__v1__list_customer_history_request__descriptor,
    &screening__v1__list_customer_history_response__descriptor,
    &screening__v1__get_projection_status_request__descriptor,
    &screening__v1__log_status__descriptor,
    &screening__v1__get_projection_status_response__descriptor,
    &screening__v1__screening_day_changed__descriptor,
    &screening__v1__event__descriptor,
    &screening__v1__event_batch__descriptor,
    &screening__v1__fetch_request__descriptor,
    &screening__v1__fetch_response__descriptor,
    &protojson__test__scalars__descriptor,
    &protojson__test__lists__descriptor,
    &protojson__test__choice__descriptor,
    &protojson__test__tree__descriptor,
    &protojson__test__with_pairs__descriptor,
};
const size_t test_message_type_count = sizeof test_message_types / sizeof test_message_types[0];

uint64_t test_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Returns a number below `bound`. */
static uint64_t below(uint64_t *seed, uint64_t bound)
{
    return (test_random(seed) >> 11) % bound;
}

/* Returns 64 random bits or, half of the time, an edge case such as a limit of an integer type. */
static uint64_t random_bits(uint64_t *seed)
{
    static const uint64_t edges[] = {
        0,          1,         UINT64_MAX, INT32_MAX,         (uint64_t)INT32_MIN,
        UINT32_MAX, INT64_MAX, 1ULL << 63, 9007199254740993U, 2026};
    size_t count = sizeof edges / sizeof edges[0];
    uint64_t choice = below(seed, 2 * count);
    return choice < count ? edges[choice] : test_random(seed);
}

static double random_double(uint64_t *seed)
{
    static const double edges[] = {0.0, 1.0, 0.1, -1e300, 5e-324, 1.7976931348623157e308};
    uint64_t choice = below(seed, 9);
    if (choice < 6)
        return edges[choice];
    return choice == 6   ? (double)NAN
           : choice == 7 ? -(double)INFINITY
                         : (double)(int64_t)test_random(seed) / 7;
}

static float random_float(uint64_t *seed)
{
    static const float edges[] = {0.0F, 0.1F, -3.5F, 1e-45F, 3.4028235e38F};
    uint64_t choice = below(seed, 7);
    if (choice < 5)
        return edges[choice];
    return choice == 5 ? INFINITY : (float)(int64_t)test_random(seed) / 3;
}

static char *random_text(uint64_t *seed, struct arena *arena)
{
    static const char *const pieces[] = {"김",   "하늘", "a", "Z9", "\"", "\\", "\n",
                                         "\x7f", "😀",    "é", "/",  "</", " "};
    size_t count = below(seed, 6);
    char text[64] = "";
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        const char *piece = pieces[below(seed, sizeof pieces / sizeof pieces[0])];
        memcpy(text + used, piece, strlen(piece) + 1);
        used += strlen(piece);
    }
    return arena_strdup(arena, text);
}

static ProtobufCBinaryData random_bytes(uint64_t *seed, struct arena *arena)
{
    ProtobufCBinaryData bytes = {.len = below(seed, 10)};
    bytes.data = arena_alloc(arena, bytes.len + 1);
    assert_non_null(bytes.data);
    for (size_t i = 0; i < bytes.len; i++)
        bytes.data[i] = (uint8_t)test_random(seed);
    return bytes;
}

static int32_t random_enum(const ProtobufCEnumDescriptor *descriptor, uint64_t *seed)
{
    uint64_t choice = below(seed, descriptor->n_values + 1);
    return choice < descriptor->n_values ? descriptor->values[choice].value : 1000;
}

static ProtobufCMessage *random_message(const ProtobufCMessageDescriptor *descriptor, uint64_t *seed,
                                        unsigned level, struct arena *arena);

static void fill_value(const ProtobufCFieldDescriptor *field, uint64_t *seed, unsigned level,
                       struct arena *arena, void *slot)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        *(ProtobufCMessage **)slot = random_message(field->descriptor, seed, level + 1, arena);
        return;
    case PROTOBUF_C_TYPE_STRING:
        *(char **)slot = random_text(seed, arena);
        return;
    case PROTOBUF_C_TYPE_BYTES:
        *(ProtobufCBinaryData *)slot = random_bytes(seed, arena);
        return;
    case PROTOBUF_C_TYPE_ENUM:
        *(int32_t *)slot = random_enum(field->descriptor, seed);
        return;
    case PROTOBUF_C_TYPE_BOOL:
        *(protobuf_c_boolean *)slot = (protobuf_c_boolean)below(seed, 2);
        return;
    case PROTOBUF_C_TYPE_DOUBLE:
        *(double *)slot = random_double(seed);
        return;
    case PROTOBUF_C_TYPE_FLOAT:
        *(float *)slot = random_float(seed);
        return;
    default:
        if (protojson_value_size(field) == sizeof(uint64_t))
            *(uint64_t *)slot = random_bits(seed);
        else
            *(uint32_t *)slot = (uint32_t)random_bits(seed);
    }
}

static void fill_field(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, uint64_t *seed,
                       unsigned level, struct arena *arena)
{
    char *base = (char *)message;
    bool too_deep = field->type == PROTOBUF_C_TYPE_MESSAGE && level >= LEVELS_MAX;
    if (too_deep || below(seed, 4) == 0)
        return;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        size_t count = below(seed, ELEMENTS_MAX + 1);
        size_t size = protojson_value_size(field);
        char *elements = arena_alloc(arena, (count + 1) * size);
        assert_non_null(elements);
        for (size_t i = 0; i < count; i++)
            fill_value(field, seed, level, arena, elements + i * size);
        *(size_t *)(void *)(base + field->quantifier_offset) = count;
        *(void **)(void *)(base + field->offset) = elements;
        return;
    }
    if (protojson_is_oneof_member(field)) {
        uint32_t *chosen = (void *)(base + field->quantifier_offset);
        if (*chosen != 0)
            return;
        *chosen = field->id;
    }
    fill_value(field, seed, level, arena, base + field->offset);
}

static ProtobufCMessage *random_message(const ProtobufCMessageDescriptor *descriptor, uint64_t *seed,
                                        unsigned level, struct arena *arena)
{
    ProtobufCMessage *message = arena_alloc(arena, descriptor->sizeof_message);
    assert_non_null(message);
    protobuf_c_message_init(descriptor, message);
    size_t seconds = 0;
    size_t nanos = 0;
    if (protojson_is_timestamp(descriptor, &seconds, &nanos)) {
        static const int32_t fractions[] = {0, 500000000, 1000, 999999999};
        *(int64_t *)(void *)((char *)message + seconds) = (int64_t)below(seed, 315537897600U) - 62135596800;
        *(int32_t *)(void *)((char *)message + nanos) = fractions[below(seed, 4)];
        return message;
    }
    for (unsigned i = 0; i < descriptor->n_fields; i++)
        fill_field(message, &descriptor->fields[i], seed, level, arena);
    return message;
}

ProtobufCMessage *test_message(const ProtobufCMessageDescriptor *descriptor, uint64_t *seed,
                               struct arena *arena)
{
    return random_message(descriptor, seed, 1, arena);
}
