#include "auth/caller.h"
#include "base/unit_testing.h"

static const struct uuid MINE = {{1}}, ALSO_MINE = {{2}}, THEIRS = {{3}};
static const struct uuid SCOPE[] = {{{1}}, {{2}}};

static struct auth_caller caller_of(unsigned roles)
{
    return (struct auth_caller){.roles = roles, .subject = "kim", .scope = SCOPE, .scope_count = 2};
}

static void test_a_customer_sees_only_what_is_its_own(void **state)
{
    (void)state;
    const struct auth_caller kim = caller_of(AUTH_CUSTOMER);
    assert_true(auth_caller_may_see(&kim, "kim", &THEIRS));
    assert_false(auth_caller_may_see(&kim, "Kim", &MINE));
    assert_false(auth_caller_may_see(&kim, "", &MINE));
    assert_false(auth_caller_has_scope(&kim, &MINE));
}

static void test_staff_sees_only_what_is_in_its_scope(void **state)
{
    (void)state;
    const struct auth_caller desk = caller_of(AUTH_STAFF);
    assert_true(auth_caller_may_see(&desk, "lee", &MINE));
    assert_true(auth_caller_may_see(&desk, "lee", &ALSO_MINE));
    assert_false(auth_caller_may_see(&desk, "kim", &THEIRS));
    assert_true(auth_caller_has_scope(&desk, &ALSO_MINE));
    assert_false(auth_caller_has_scope(&desk, &THEIRS));
}

static void test_other_roles_see_all_but_only_an_admin_acts(void **state)
{
    (void)state;
    static const unsigned ALL[] = {AUTH_ADMIN, AUTH_AUDITOR, AUTH_SERVICE};
    for (size_t i = 0; i < sizeof ALL / sizeof ALL[0]; i++) {
        const struct auth_caller caller = caller_of(ALL[i]);
        assert_true(auth_caller_may_see(&caller, "lee", &THEIRS));
        assert_int_equal(auth_caller_has_scope(&caller, &MINE), ALL[i] == AUTH_ADMIN);
    }
    assert_true(auth_caller_may_see(&AUTH_TRUSTED, "lee", &THEIRS));
    assert_true(auth_caller_has_scope(&AUTH_TRUSTED, &THEIRS));
}

static void test_a_caller_without_a_role_sees_nothing(void **state)
{
    (void)state;
    const struct auth_caller nobody = caller_of(0);
    assert_false(auth_caller_may_see(&nobody, "kim", &MINE));
    assert_false(auth_caller_has_scope(&nobody, &MINE));
    assert_false(auth_caller_may_see(&AUTH_ANONYMOUS, "", &MINE));
    assert_false(auth_caller_has_scope(&AUTH_ANONYMOUS, &MINE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_customer_sees_only_what_is_its_own),
        cmocka_unit_test(test_staff_sees_only_what_is_in_its_scope),
        cmocka_unit_test(test_other_roles_see_all_but_only_an_admin_acts),
        cmocka_unit_test(test_a_caller_without_a_role_sees_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
