#include "service/config_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address_list.h"
#include "db/db.h"
#include "service/private_address.h"

char *config_environment_name(const char *name, char out[CONFIG_ENVIRONMENT_NAME_SIZE])
{
    snprintf(out, CONFIG_ENVIRONMENT_NAME_SIZE, "SCREENING_%s", name);
    for (char *c = out; *c != '\0'; c++)
        if (*c == '-')
            *c = '_';
        else if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
    return out;
}

static bool parse_number(const char *text, int64_t *out)
{
    const char *digits = text[0] == '-' ? text + 1 : text;
    if (digits[0] == '\0' || strspn(digits, "0123456789") != strlen(digits))
        return false;
    errno = 0;
    long long number = strtoll(text, NULL, 10);
    if (errno != 0)
        return false;
    *out = number;
    return true;
}

/* The schemes of services. Programs outside this machine dial others (rpc/channel.h). */
enum { SERVICE_SCHEMES = ADDRESS_TCP | ADDRESS_IPC };

static enum status check_address(const char *text, struct error *error)
{
    struct listed_address address;
    return listed_address_parse(text, SERVICE_SCHEMES, &address, error);
}

static enum status check_addresses(const char *text, struct error *error)
{
    struct address_list list;
    return address_list_parse(text, SERVICE_SCHEMES, &list, error);
}

static enum status check_private(const char *text, struct error *error)
{
    if (text[0] == '\0')
        return STATUS_OK;
    TRY(check_address(text, error));
    return private_address_check(text, error);
}

static enum status check_database(const char *text, struct error *error)
{
    static const char prefix[] = "database: ";
    struct error found;
    if (db_url_check(text, &found) == STATUS_OK)
        return STATUS_OK;
    /*
     * db_url_check's message begins with a field name. Remove that name, because the caller prepends the
     * flag's name.
     */
    const char *rule = found.message;
    if (strncmp(rule, prefix, sizeof prefix - 1) == 0)
        rule += sizeof prefix - 1;
    return error_set(error, found.status, NULL, "%s", rule);
}

static enum status store_number(const struct setting *setting, const char *text, struct error *error)
{
    int64_t number;
    if (!parse_number(text, &number) || number < setting->min || number > setting->max)
        return error_invalid(error, "must be %" PRId64 " to %" PRId64, setting->min, setting->max);
    *(int64_t *)setting->value = number;
    return STATUS_OK;
}

static enum status store_switch(const struct setting *setting, const char *text, struct error *error)
{
    bool on = strcmp(text, "true") == 0;
    if (!on && strcmp(text, "false") != 0)
        return error_invalid(error, "must be true or false");
    *(bool *)setting->value = on;
    return STATUS_OK;
}

enum status config_parse(const struct setting *setting, const char *text, struct error *error)
{
    enum status status = STATUS_OK;
    switch (setting->type) {
    case SETTING_NUMBER:
        return store_number(setting, text, error);
    case SETTING_SWITCH:
        return store_switch(setting, text, error);
    case SETTING_ADDRESS:
        if (text[0] != '\0' || setting->default_value == NULL || setting->default_value[0] != '\0')
            status = check_address(text, error);
        break;
    case SETTING_ADDRESSES:
        status = check_addresses(text, error);
        break;
    case SETTING_PRIVATE:
        status = check_private(text, error);
        break;
    case SETTING_DATABASE:
        status = check_database(text, error);
        break;
    case SETTING_TEXT:
        break;
    }
    if (status == STATUS_OK)
        *(const char **)setting->value = text;
    return status;
}

const char *config_show(const struct setting *setting, struct arena *arena)
{
    switch (setting->type) {
    case SETTING_NUMBER:
        return arena_printf(arena, "%" PRId64, *(const int64_t *)setting->value);
    case SETTING_SWITCH:
        return *(const bool *)setting->value ? "true" : "false";
    case SETTING_DATABASE: {
        const char *url = *(const char *const *)setting->value;
        size_t size = strlen(url) + sizeof "***";
        char *out = arena_alloc(arena, size);
        return out == NULL ? NULL : db_url_redact(url, out, size);
    }
    case SETTING_TEXT:
    case SETTING_ADDRESS:
    case SETTING_ADDRESSES:
    case SETTING_PRIVATE:
        break;
    }
    return *(const char *const *)setting->value;
}
