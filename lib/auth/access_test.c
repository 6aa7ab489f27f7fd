#include "auth/access.h"
#include "base/unit_testing.h"
#include "screening/v1/descriptors.h"

#include "grpc/health/v1/health.pb-c.h"
#include "rpc/v1/introspection.pb-c.h"
#include "screening/v1/booking.pb-c.h"
#include "screening/v1/hospital.pb-c.h"

enum { METHODS_MAX = 16 };

static enum status load(const ProtobufCServiceDescriptor *descriptor, struct access_rule *rules,
                        struct error *error)
{
    return access_rules_load(screening_descriptor_set, screening_descriptor_set_size, descriptor, rules,
                             error);
}

static struct access_rule rule_of(const ProtobufCServiceDescriptor *descriptor, const char *method)
{
    struct access_rule rules[METHODS_MAX];
    assert_int_equal(load(descriptor, rules, NULL), STATUS_OK);
    return rules[protobuf_c_service_descriptor_get_method_by_name(descriptor, method) - descriptor->methods];
}

static void test_a_rule_is_read_from_the_option_beside_the_method(void **state)
{
    (void)state;
    struct access_rule cancel = rule_of(&screening__v1__booking_service__descriptor, "CancelBooking");
    assert_int_equal(cancel.roles, AUTH_CUSTOMER | AUTH_STAFF | AUTH_ADMIN);
    assert_false(cancel.is_open || cancel.is_catalogue || cancel.only_reads);
    struct access_rule list = rule_of(&screening__v1__hospital_service__descriptor, "ListHospitals");
    assert_int_equal(list.roles, AUTH_ROLES_ALL);
    assert_true(list.is_catalogue && list.only_reads && !list.is_open);
    assert_int_equal(rule_of(&screening__v1__hospital_service__descriptor, "BatchReserve").roles,
                     AUTH_SERVICE);
    assert_int_equal(rule_of(&rpc__v1__introspection__descriptor, "Stats").roles,
                     AUTH_ADMIN | AUTH_AUDITOR | AUTH_SERVICE);
    assert_true(rule_of(&grpc__health__v1__health__descriptor, "Check").is_open);
}

static void assert_refused(const ProtobufCServiceDescriptor *descriptor, const char *text)
{
    struct access_rule rules[METHODS_MAX];
    struct error error;
    assert_int_equal(load(descriptor, rules, &error), STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.message, text);
}

static void test_a_method_or_a_service_without_a_rule_is_refused(void **state)
{
    (void)state;
    ProtobufCMethodDescriptor method = rpc__v1__introspection__descriptor.methods[0];
    ProtobufCServiceDescriptor descriptor = rpc__v1__introspection__descriptor;
    descriptor.methods = &method;
    descriptor.n_methods = 1;
    method.name = "Forgotten";
    assert_refused(&descriptor, "rpc.v1.Introspection/Forgotten: the method has no access rule");
    descriptor.short_name = "Unknown";
    descriptor.name = "rpc.v1.Unknown";
    assert_refused(&descriptor, "rpc.v1.Unknown/Forgotten: the method has no access rule");
}

static void test_a_malformed_set_is_refused(void **state)
{
    (void)state;
    struct access_rule rules[METHODS_MAX];
    struct error error;
    const ProtobufCServiceDescriptor *health = &grpc__health__v1__health__descriptor;
    assert_int_equal(access_rules_load("\xff", 1, health, rules, &error), STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.message, "the set of descriptors is malformed");
    assert_int_equal(access_rules_load("", 0, health, rules, &error), STATUS_INVALID_ARGUMENT);
}

static void test_the_decision_depends_on_the_roles(void **state)
{
    (void)state;
    const struct access_rule staff = {.roles = AUTH_STAFF | AUTH_ADMIN};
    assert_int_equal(access_decide(&staff, 0, true), ACCESS_NEEDS_TOKEN);
    assert_int_equal(access_decide(&staff, AUTH_CUSTOMER, true), ACCESS_DENIED);
    assert_int_equal(access_decide(&staff, AUTH_CUSTOMER | AUTH_STAFF, false), ACCESS_ALLOWED);
    const struct access_rule open = {.is_open = true};
    assert_int_equal(access_decide(&open, 0, false), ACCESS_ALLOWED);
    const struct access_rule catalogue = {.roles = AUTH_CUSTOMER, .is_catalogue = true};
    assert_int_equal(access_decide(&catalogue, 0, false), ACCESS_NEEDS_TOKEN);
    assert_int_equal(access_decide(&catalogue, 0, true), ACCESS_ALLOWED);
    assert_int_equal(access_decide(&catalogue, AUTH_STAFF, true), ACCESS_ALLOWED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_rule_is_read_from_the_option_beside_the_method),
        cmocka_unit_test(test_a_method_or_a_service_without_a_rule_is_refused),
        cmocka_unit_test(test_a_malformed_set_is_refused),
        cmocka_unit_test(test_the_decision_depends_on_the_roles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
