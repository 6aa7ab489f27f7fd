#include "auth/issuers.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "auth/caller.h"
#include "auth/keys.h"
#include "base/text.h"

/* The audience that stands for the name of the program. */
#define PROGRAM "@program"

/* What is being read, for messages. */
struct reader {
    const char *path;
    const char *issuer; /* NULL = no member of an issuer */
    struct auth_files *files;
    struct auth_issuers *into;
    const char *program;
    const struct auth_issuers *earlier; /* NULL = none */
    struct error *error;
};

static const struct auth_role_value ROLES[] = {
    {"customer", AUTH_CUSTOMER}, {"staff", AUTH_STAFF},     {"admin", AUTH_ADMIN},
    {"auditor", AUTH_AUDITOR},   {"service", AUTH_SERVICE},
};
enum { ROLE_COUNT = sizeof ROLES / sizeof ROLES[0] };

static enum status wrong(const struct reader *reader, const char *member, const char *what)
{
    if (reader->issuer == NULL)
        return error_invalid(reader->error, "issuers: %s: %s: %s", reader->path, member, what);
    return error_invalid(reader->error, "issuers: %s: issuer %s: %s: %s", reader->path, reader->issuer,
                         member, what);
}

static bool is_one_of(const char *name, const char *const *names)
{
    for (; *names != NULL; names++)
        if (strcmp(name, *names) == 0)
            return true;
    return false;
}

/* Refuses a value that is no object or has a member that is not in `known`, a list that ends with NULL. */
static enum status check_object(const struct reader *reader, const char *member, json_t *object,
                                const char *const *known)
{
    if (!json_is_object(object))
        return wrong(reader, member, "must be an object");
    for (void *i = json_object_iter(object); i != NULL; i = json_object_iter_next(object, i))
        if (!is_one_of(json_object_iter_key(i), known))
            return wrong(reader, json_object_iter_key(i), "is unknown");
    return STATUS_OK;
}

static enum status keep(const struct reader *reader, const char *text, const char **out)
{
    *out = arena_strdup(&reader->into->arena, text);
    return *out != NULL ? STATUS_OK : error_no_memory(reader->error);
}

/* Reads a text of 1 to `max` characters without control characters. */
static enum status read_text(const struct reader *reader, const json_t *object, const char *member,
                             size_t max, const char **out)
{
    const char *text = json_string_value(json_object_get(object, member));
    if (text == NULL || text_check(member, text, 1, max, NULL) != STATUS_OK) {
        struct error detail;
        error_write(&detail, STATUS_INVALID_ARGUMENT, NULL,
                    "must be a text of 1 to %zu characters without control characters", max);
        return wrong(reader, member, detail.message);
    }
    return keep(reader, text, out);
}

/* Reads the path of a claim: names of members, separated by dots. */
static enum status read_claim(const struct reader *reader, const json_t *object, const char *member,
                              const char **out)
{
    TRY(read_text(reader, object, member, AUTH_CLAIM_MAX, out));
    const size_t length = strlen(*out);
    if (**out == '.' || (*out)[length - 1] == '.' || strstr(*out, "..") != NULL)
        return wrong(reader, member, "must be the name of a claim, or names separated by dots");
    return STATUS_OK;
}

static enum status read_role(const struct reader *reader, const char *member, const json_t *value,
                             unsigned *out)
{
    const char *name = json_string_value(value);
    for (size_t i = 0; name != NULL && i < ROLE_COUNT; i++) {
        if (strcmp(name, ROLES[i].value) == 0) {
            *out = ROLES[i].role;
            return STATUS_OK;
        }
    }
    return wrong(reader, member, "must be a role: customer, staff, admin, auditor or service");
}

static enum status read_role_values(const struct reader *reader, json_t *values, struct auth_issuer *issuer)
{
    const size_t count = json_object_size(values);
    if (count == 0 || count > AUTH_ROLE_VALUES_MAX)
        return wrong(reader, "values", "must be an object with 1 to 64 members");
    issuer->role_values = arena_alloc(&reader->into->arena, count * sizeof *issuer->role_values);
    if (issuer->role_values == NULL)
        return error_no_memory(reader->error);
    for (void *i = json_object_iter(values); i != NULL; i = json_object_iter_next(values, i)) {
        struct auth_role_value *value = &issuer->role_values[issuer->role_value_count++];
        TRY(keep(reader, json_object_iter_key(i), &value->value));
        TRY(read_role(reader, value->value, json_object_iter_value(i), &value->role));
    }
    return STATUS_OK;
}

static enum status read_roles(const struct reader *reader, json_t *roles, struct auth_issuer *issuer)
{
    static const char *const ALWAYS[] = {"always", NULL};
    static const char *const BY_CLAIM[] = {"claim", "values", NULL};
    const json_t *always = json_object_get(roles, "always");
    TRY(check_object(reader, "roles", roles, always != NULL ? ALWAYS : BY_CLAIM));
    if (always != NULL)
        return read_role(reader, "always", always, &issuer->always);
    TRY(read_claim(reader, roles, "claim", &issuer->role_claim));
    return read_role_values(reader, json_object_get(roles, "values"), issuer);
}

/* Returns the path of a file that is named in issuers.json. */
static const char *path_beside(const struct reader *reader, const char *name)
{
    const char *slash = strrchr(reader->path, '/');
    const int folder = *name != '/' && slash != NULL ? (int)(slash + 1 - reader->path) : 0;
    return arena_printf(&reader->into->arena, "%.*s%s", folder, reader->path, name);
}

static enum status read_audience(const struct reader *reader, const json_t *object,
                                 struct auth_issuer *issuer)
{
    TRY(read_text(reader, object, "audience", AUTH_ISSUER_MAX, &issuer->audience));
    return strcmp(issuer->audience, PROGRAM) == 0 ? keep(reader, reader->program, &issuer->audience)
                                                  : STATUS_OK;
}

static enum status read_digests(const struct reader *reader, const json_t *object, struct auth_issuer *issuer)
{
    char *entry = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
    if (entry == NULL)
        return error_no_memory(reader->error);
    digest_sha256_128(issuer->name, strlen(issuer->name), issuer->digest);
    digest_sha256_128(entry, strlen(entry), issuer->entry);
    free(entry);
    return STATUS_OK;
}

/* Reads the members of an issuer, but not its keys. */
static enum status read_members(const struct reader *reader, json_t *object, struct auth_issuer *issuer)
{
    static const char *const MEMBERS[] = {"issuer",      "audience",       "keys", "roles",
                                          "scope_claim", "subject_prefix", NULL};
    const char *keys = "";
    TRY(check_object(reader, "issuers", object, MEMBERS));
    TRY(read_audience(reader, object, issuer));
    TRY(read_roles(reader, json_object_get(object, "roles"), issuer));
    if (json_object_get(object, "scope_claim") != NULL)
        TRY(read_claim(reader, object, "scope_claim", &issuer->scope_claim));
    issuer->subject_prefix = "";
    if (json_object_get(object, "subject_prefix") != NULL)
        TRY(read_text(reader, object, "subject_prefix", AUTH_PREFIX_MAX, &issuer->subject_prefix));
    TRY(read_digests(reader, object, issuer));
    TRY(read_text(reader, object, "keys", AUTH_ISSUER_MAX, &keys));
    issuer->keys_path = path_beside(reader, keys);
    return issuer->keys_path != NULL ? STATUS_OK : error_no_memory(reader->error);
}

static enum status read_issuer(struct reader *reader, json_t *object)
{
    struct auth_issuers *into = reader->into;
    const char *name;
    reader->issuer = NULL;
    if (!json_is_object(object))
        return wrong(reader, "issuers", "must be an array of objects");
    TRY(read_text(reader, object, "issuer", AUTH_ISSUER_MAX, &name));
    reader->issuer = name;
    if (auth_issuers_find(into, name) != NULL)
        return wrong(reader, "issuer", "is there twice");
    struct auth_issuer *issuer = &into->issuers[into->count++];
    issuer->name = name;
    return read_members(reader, object, issuer);
}

/* Returns the earlier state of an issuer, or NULL if it had its keys in another file or there is none. */
static const struct auth_issuer *find_earlier(const struct reader *reader, const struct auth_issuer *issuer)
{
    const struct auth_issuer *earlier = auth_issuers_find(reader->earlier, issuer->name);
    return earlier != NULL && strcmp(earlier->keys_path, issuer->keys_path) == 0 ? earlier : NULL;
}

/* Reads the keys of an issuer, or keeps the earlier ones of the same file if it is wrong. */
static enum status read_keys(const struct reader *reader, struct auth_issuer *issuer)
{
    struct auth_issuers *into = reader->into;
    struct error problem = {0};
    enum status status = auth_keys_read(issuer->keys_path, reader->files, &into->arena, issuer, &problem);
    if (status == STATUS_INVALID_ARGUMENT && reader->earlier != NULL) {
        if (into->stale++ == 0)
            into->problem = problem;
        return auth_keys_keep(find_earlier(reader, issuer), &into->arena, issuer, reader->error);
    }
    if (status != STATUS_OK && reader->error != NULL)
        *reader->error = problem;
    return status;
}

static enum status read_issuers(struct reader *reader, json_t *file)
{
    static const char *const MEMBERS[] = {"issuers", NULL};
    TRY(check_object(reader, "issuers", file, MEMBERS));
    const json_t *list = json_object_get(file, "issuers");
    const size_t count = json_array_size(list);
    if (count == 0 || count > AUTH_ISSUERS_MAX)
        return wrong(reader, "issuers", "must be an array of 1 to 64 issuers");
    reader->into->issuers = arena_alloc(&reader->into->arena, count * sizeof *reader->into->issuers);
    if (reader->into->issuers == NULL)
        return error_no_memory(reader->error);
    for (size_t i = 0; i < count; i++)
        TRY(read_issuer(reader, json_array_get(list, i)));
    for (size_t i = 0; i < count; i++)
        TRY(read_keys(reader, &reader->into->issuers[i]));
    return STATUS_OK;
}

/* Makes the issuers that `file`, which is issuers.json, lists, and reads their keys. */
static enum status make_issuers(const struct reader *settings, json_t *file, struct auth_issuers **out)
{
    struct reader reader = *settings;
    reader.into = calloc(1, sizeof *reader.into);
    if (reader.into == NULL)
        return error_no_memory(reader.error);
    arena_init(&reader.into->arena);
    reader.into->file = json_incref(file);
    enum status status = read_issuers(&reader, file);
    if (status == STATUS_OK)
        *out = reader.into;
    else
        auth_issuers_free(reader.into);
    return status;
}

enum status auth_issuers_read(const char *path, const char *program, struct auth_files *files,
                              const struct auth_issuers *earlier, struct auth_issuers **out,
                              struct error *error)
{
    struct error problem = {0};
    struct reader reader = {
        .path = path, .files = files, .program = program, .earlier = earlier, .error = &problem};
    json_t *file = NULL;
    enum status status = auth_files_read(files, path, &file, &problem);
    if (status == STATUS_OK)
        status = make_issuers(&reader, file, out);
    json_decref(file);
    if (status == STATUS_INVALID_ARGUMENT && earlier != NULL) {
        struct error second = {0};
        reader.error = &second;
        status = make_issuers(&reader, earlier->file, out);
        if (status == STATUS_OK) {
            (*out)->stale++;
            (*out)->problem = problem;
        } else {
            problem = second;
        }
    }
    if (status != STATUS_OK && error != NULL)
        *error = problem;
    return status;
}

void auth_issuers_free(struct auth_issuers *issuers)
{
    if (issuers == NULL)
        return;
    for (size_t i = 0; i < issuers->count; i++)
        for (size_t k = 0; k < issuers->issuers[i].key_count; k++)
            json_decref(issuers->issuers[i].keys[k].jwk);
    json_decref(issuers->file);
    arena_fini(&issuers->arena);
    free(issuers);
}

const struct auth_issuer *auth_issuers_find(const struct auth_issuers *issuers, const char *name)
{
    for (size_t i = 0; i < issuers->count; i++)
        if (strcmp(issuers->issuers[i].name, name) == 0)
            return &issuers->issuers[i];
    return NULL;
}

const struct auth_key *auth_issuers_find_grant(const struct auth_issuers *issuers,
                                               const uint8_t grant[DIGEST_SIZE])
{
    for (size_t i = 0; i < issuers->count; i++)
        for (size_t k = 0; k < issuers->issuers[i].key_count; k++)
            if (memcmp(issuers->issuers[i].keys[k].grant, grant, DIGEST_SIZE) == 0)
                return &issuers->issuers[i].keys[k];
    return NULL;
}

const struct auth_key *auth_issuer_find_key(const struct auth_issuer *issuer, const char *id)
{
    for (size_t i = 0; i < issuer->key_count; i++)
        if (strcmp(issuer->keys[i].id, id) == 0)
            return &issuer->keys[i];
    return NULL;
}
