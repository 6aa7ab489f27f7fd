#include "methods.h"

#include <string.h>

#include "base/unit_testing.h"

static void test_method_find_knows_short_and_full_names(void **state)
{
    (void)state;
    static const struct {
        const char *name, *method;
        enum peer_name peer;
    } cases[] = {
        {"CreateBooking", "CreateBooking", PEER_BOOKING},
        {"BookingService/GetBooking", "GetBooking", PEER_BOOKING},
        {"screening.v1.HospitalService/BatchReserve", "BatchReserve", PEER_HOSPITAL},
        {"GetProjectionStatus", "GetProjectionStatus", PEER_HISTORY},
        {"EventLogService/Fetch", "Fetch", PEER_COUNT},
        {"grpc.health.v1.Health/Check", "Check", PEER_COUNT},
        {"Introspection/Stats", "Stats", PEER_COUNT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const ProtobufCMethodDescriptor *method = NULL;
        const struct method_service *service = method_find(cases[i].name, &method);
        assert_non_null(service);
        assert_string_equal(method->name, cases[i].method);
        assert_int_equal(method_only_peer(service), cases[i].peer);
    }
}

static void test_method_find_unknown_name_finds_nothing(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",  "createbooking",   "HospitalService/CreateBooking", "x/CreateBooking",
        "/", "BookingService/", "Booking/CreateBooking"};
    const ProtobufCMethodDescriptor *method;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_null(method_find(wrong[i], &method));
}

static void test_method_names_are_unique_without_their_service(void **state)
{
    (void)state;
    const ProtobufCMethodDescriptor *found;
    for (size_t i = 0; i < METHOD_SERVICE_COUNT; i++) {
        const ProtobufCServiceDescriptor *descriptor = METHOD_SERVICES[i].descriptor;
        for (unsigned m = 0; m < descriptor->n_methods; m++)
            assert_ptr_equal(method_find(descriptor->methods[m].name, &found), &METHOD_SERVICES[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_method_find_knows_short_and_full_names),
        cmocka_unit_test(test_method_find_unknown_name_finds_nothing),
        cmocka_unit_test(test_method_names_are_unique_without_their_service),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
