#include "auth/caller.h"

#include <string.h>

const struct auth_source AUTH_TRUSTED_PLACE = {0};
const struct auth_caller AUTH_ANONYMOUS = {.subject = "", .until_us = INT64_MAX};
const struct auth_caller AUTH_TRUSTED = {.roles = AUTH_ROLES_ALL, .subject = "", .until_us = INT64_MAX};

static bool is_in_scope(const struct auth_caller *caller, const struct uuid *object)
{
    for (size_t i = 0; i < caller->scope_count; i++)
        if (uuid_equal(&caller->scope[i], object))
            return true;
    return false;
}

bool auth_caller_may_see(const struct auth_caller *caller, const char *owner, const struct uuid *object)
{
    if ((caller->roles & (AUTH_ADMIN | AUTH_AUDITOR | AUTH_SERVICE)) != 0)
        return true;
    if ((caller->roles & AUTH_CUSTOMER) != 0 && strcmp(caller->subject, owner) == 0)
        return true;
    return (caller->roles & AUTH_STAFF) != 0 && is_in_scope(caller, object);
}

bool auth_caller_has_scope(const struct auth_caller *caller, const struct uuid *object)
{
    return (caller->roles & AUTH_ADMIN) != 0 ||
           ((caller->roles & AUTH_STAFF) != 0 && is_in_scope(caller, object));
}
