#include "grpc_descriptors.h"

#include <string.h>

#include "base/unit_testing.h"

#include "google/protobuf/descriptor.pb-c.h"

static bool is_public(const void *context, const char *service, const char *method)
{
    (void)context;
    return strcmp(service, "screening.v1.HistoryService") != 0 && strcmp(method, "Reserve") != 0;
}

static int set_up(void **state)
{
    struct grpc_descriptors *descriptors;
    struct error error;
    if (grpc_descriptors_open(is_public, NULL, &descriptors, &error) != STATUS_OK)
        return -1;
    *state = descriptors;
    return 0;
}

static int tear_down(void **state)
{
    grpc_descriptors_close(*state);
    return 0;
}

static Google__Protobuf__FileDescriptorProto *unpack(ProtobufCBinaryData packed)
{
    Google__Protobuf__FileDescriptorProto *file =
        google__protobuf__file_descriptor_proto__unpack(NULL, packed.len, packed.data);
    assert_non_null(file);
    return file;
}

/* Checks that the last of the files has this name, and the one before it, if there is one, `imported`. */
static void assert_files(const struct grpc_files *files, const char *imported, const char *name)
{
    const char *const names[] = {imported, name};
    size_t skipped = imported == NULL;
    assert_true(files->count >= 2 - skipped);
    for (size_t i = skipped; i < 2; i++) {
        Google__Protobuf__FileDescriptorProto *file = unpack(files->files[files->count - 2 + i]);
        assert_string_equal(file->name, names[i]);
        google__protobuf__file_descriptor_proto__free_unpacked(file, NULL);
    }
}

static void test_grpc_descriptors_list_services_with_public_methods(void **state)
{
    const char *names[GRPC_SERVICES_MAX];
    static const char *const wanted[] = {"screening.v1.HospitalService", "screening.v1.BookingService",
                                         "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"};
    size_t count = grpc_descriptors_services(*state, names), wanted_count = sizeof wanted / sizeof wanted[0];
    assert_int_equal(count, wanted_count);
    for (size_t i = 0; i < count; i++) {
        size_t found = 0;
        for (size_t w = 0; w < wanted_count; w++)
            found += strcmp(names[i], wanted[w]) == 0;
        assert_int_equal(found, 1);
    }
}

static void test_grpc_descriptors_find_files_with_their_imports_first(void **state)
{
    struct grpc_files files;
    assert_true(grpc_descriptors_by_name(*state, "google/protobuf/timestamp.proto", &files));
    assert_int_equal(files.count, 1);
    assert_files(&files, NULL, "google/protobuf/timestamp.proto");
    assert_true(grpc_descriptors_by_name(*state, "screening/v1/types.proto", &files));
    assert_int_equal(files.count, 2);
    assert_files(&files, "google/protobuf/timestamp.proto", "screening/v1/types.proto");
    assert_true(grpc_descriptors_by_name(*state, "screening/v1/hospital.proto", &files));
    assert_files(&files, "screening/v1/types.proto", "screening/v1/hospital.proto");
    static const char *const wrong[] = {"", "screening/v1/types", "screening/v1/types.proto ", "types.proto"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(grpc_descriptors_by_name(*state, wrong[i], &files));
}

static void test_grpc_descriptors_find_the_file_of_a_symbol(void **state)
{
    static const struct {
        const char *symbol, *file;
    } right[] = {
        {"screening.v1.Booking", "screening/v1/types.proto"},
        {"screening.v1.BookingStatus", "screening/v1/types.proto"},
        {"screening.v1.BookingService", "screening/v1/booking.proto"},
        {"screening.v1.BookingService.CreateBooking", "screening/v1/booking.proto"},
        {"screening.v1.HospitalService.BatchReserve", "screening/v1/hospital.proto"},
        {"google.protobuf.Timestamp", "google/protobuf/timestamp.proto"},
        {"grpc.health.v1.Health.Watch", "grpc/health/v1/health.proto"},
        {"grpc.health.v1.HealthCheckResponse.ServingStatus", "grpc/health/v1/health.proto"},
        {"grpc.reflection.v1.ServerReflection", "grpc/reflection/v1/reflection.proto"},
    };
    static const char *const wrong[] = {"",
                                        ".",
                                        "screening.v1",
                                        "screening.v1.",
                                        "screening.v1.B",
                                        "screening.v1.Bookings",
                                        "screening.v1.Booking.",
                                        ".screening.v1.Booking",
                                        "Booking",
                                        "screening.v1.BookingService.",
                                        "screening.v1.BookingService.None",
                                        "screening.v1.BookingService.CreateBooking.x",
                                        "screening.v1.HospitalService.Reserve",
                                        "screening.v1.HistoryService",
                                        "screening.v1.EventLogService",
                                        "grpc.health.v1.HealthCheckResponse.ServingStatus.x",
                                        "grpc.health.v1.HealthCheckRequest.ServingStatus"};
    struct grpc_files files;
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        assert_true(grpc_descriptors_by_symbol(*state, right[i].symbol, &files));
        assert_files(&files, NULL, right[i].file);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(grpc_descriptors_by_symbol(*state, wrong[i], &files));
}

static void test_grpc_descriptors_leave_out_methods_that_are_not_public(void **state)
{
    struct grpc_files files;
    assert_true(grpc_descriptors_by_symbol(*state, "screening.v1.HospitalService", &files));
    Google__Protobuf__FileDescriptorProto *file = unpack(files.files[files.count - 1]);
    const Google__Protobuf__ServiceDescriptorProto *service = file->service[0];
    size_t reads = 0;
    assert_true(service->n_method > 5);
    for (size_t i = 0; i < service->n_method; i++) {
        assert_string_not_equal(service->method[i]->name, "Reserve");
        reads += service->method[i]->options != NULL && service->method[i]->options->has_idempotency_level;
    }
    assert_true(reads > 2); /* the options are kept */
    google__protobuf__file_descriptor_proto__free_unpacked(file, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_grpc_descriptors_list_services_with_public_methods, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_grpc_descriptors_find_files_with_their_imports_first, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_grpc_descriptors_find_the_file_of_a_symbol, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_grpc_descriptors_leave_out_methods_that_are_not_public, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
