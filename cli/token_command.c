/* screenctl token: issues tokens, and shows what a token says */
#include "client.h"
#include "date.h"
#include "file.h"
#include "message.h"
#include "output.h"
#include "pki.h"

#include <jansson.h>
#include <jose/b64.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/jws.h"
#include "auth/private_key.h"
#include "base/clock.h"
#include "base/secret_file.h"
#include "base/text.h"
#include "base/uuid.h"

enum { HOUR_S = 60 * 60, HOURS_DEFAULT = 12, SUBJECT_MAX_BYTES = 64, SCOPE_MAX = 64, TOKEN_MAX_BYTES = 8192 };

/* ---- token issue ---- */

/* What a token will say, as given. */
struct wanted {
    char *key, *subject, *role, *out;
    struct text_list hospitals;
    uint32_t hours;
};

/* Returns the value itself if it is one of the roles that the issuer can give, else NULL. */
static const char *role_of(const char *role)
{
    static const char *const roles[] = {"customer", "staff", "admin", "auditor"};
    for (size_t i = 0; i < COUNT_OF(roles); i++)
        if (strcmp(role, roles[i]) == 0)
            return roles[i];
    return NULL;
}

/* Returns whether the values are valid. If not, prints the usage. */
static bool check_wanted(const struct command *command, const struct wanted *wanted)
{
    struct error error;
    struct uuid id;
    bool staff = strcmp(wanted->role, "staff") == 0;
    if (text_check_opaque("--sub", wanted->subject, 1, SUBJECT_MAX_BYTES, &error) != STATUS_OK)
        usage_error(command, "%s", error.message);
    else if (strlen(wanted->subject) > SUBJECT_MAX_BYTES)
        usage_error(command, "--sub %s: must have at most %d bytes", wanted->subject, SUBJECT_MAX_BYTES);
    else if (role_of(wanted->role) == NULL)
        usage_error(command, "--role %s: must be customer, staff, admin or auditor", wanted->role);
    else if (staff && wanted->hospitals.count == 0)
        usage_error(command, "--hospital: must be given with --role staff");
    else if (!staff && wanted->hospitals.count > 0)
        usage_error(command, "--hospital: is for --role staff only");
    else if (wanted->hospitals.count > SCOPE_MAX)
        usage_error(command, "--hospital: at most %d times", SCOPE_MAX);
    else if (wanted->hours == 0 || wanted->hours > PKI_TOKEN_HOURS_MAX)
        usage_error(command, "--hours %u: must be 1 to %d", wanted->hours, PKI_TOKEN_HOURS_MAX);
    else {
        for (size_t i = 0; i < wanted->hospitals.count; i++) {
            if (text_check_uuid("--hospital", wanted->hospitals.texts[i], &id, &error) != STATUS_OK) {
                usage_error(command, "%s", error.message);
                return false;
            }
        }
        return true;
    }
    return false;
}

/* Returns the claims, or NULL when out of memory. */
static json_t *make_claims(const struct wanted *wanted, int64_t now_s)
{
    char id[UUID_TEXT_SIZE];
    struct uuid random = uuid_v4();
    json_int_t end_s = now_s + (json_int_t)wanted->hours * HOUR_S;
    json_t *claims = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:s}", "iss", PKI_ISSUER, "aud", PKI_ISSUER,
                               "sub", wanted->subject, "role", wanted->role, "iat", (json_int_t)now_s, "exp",
                               end_s, "jti", uuid_format(&random, id));
    json_t *hospitals = wanted->hospitals.count > 0 ? json_array() : NULL;
    for (size_t i = 0; i < wanted->hospitals.count; i++) {
        struct uuid hospital;
        char text[UUID_TEXT_SIZE];
        if (uuid_parse(wanted->hospitals.texts[i], &hospital)) /* checked before */
            json_array_append_new(hospitals, json_string(uuid_format(&hospital, text)));
    }
    if (claims == NULL || json_array_size(hospitals) != wanted->hospitals.count ||
        (hospitals != NULL && json_object_set(claims, "hospitals", hospitals) != 0)) {
        json_decref(claims);
        claims = NULL;
    }
    json_decref(hospitals);
    return claims;
}

static enum status issue(struct session *session, const struct wanted *wanted, int64_t now_s,
                         const char **token, struct error *error)
{
    struct auth_private_key *key = NULL;
    TRY(auth_private_key_open("--key", wanted->key, &key, error));
    json_t *claims = make_claims(wanted, now_s);
    enum status status = claims == NULL ? client_no_memory(error)
                                        : auth_private_key_sign(key, claims, &session->arena, token, error);
    json_decref(claims);
    auth_private_key_close(key);
    return status;
}

static enum status keep(struct session *session, const char *path, const char *token, struct error *error)
{
    const char *line = arena_printf(&session->arena, "%s\n", token);
    TRY(line == NULL ? client_no_memory(error) : STATUS_OK);
    return file_replace(path, line, strlen(line), FILE_MODE_SECRET, error);
}

static int token_issue(struct session *session, const struct command *command, int argc, char **argv)
{
    struct wanted wanted = {.hours = HOURS_DEFAULT};
    const struct argument arguments[] = {{"--key", &wanted.key, ARGUMENT_TEXT, true},
                                         {"--sub", &wanted.subject, ARGUMENT_TEXT, true},
                                         {"--role", &wanted.role, ARGUMENT_TEXT, true},
                                         {"--hospital", &wanted.hospitals, ARGUMENT_LIST, false},
                                         {"--hours", &wanted.hours, ARGUMENT_NUMBER, false},
                                         {"--out", &wanted.out, ARGUMENT_TEXT, false}};
    int exit_code;
    struct error error;
    const char *token;
    if (!command_read(session, command, arguments, COUNT_OF(arguments), argc, argv, &exit_code))
        return exit_code;
    if (!check_wanted(command, &wanted))
        return EXIT_USAGE;
    int64_t now_s = clock_now_us() / US_PER_S;
    if (issue(session, &wanted, now_s, &token, &error) != STATUS_OK)
        return client_fail(&error);
    if (wanted.out == NULL) {
        if (session->json)
            return output_document(json_pack("{s:s}", "token", token));
        puts(token);
        return EXIT_DONE;
    }
    return keep(session, wanted.out, token, &error) == STATUS_OK ? EXIT_DONE : client_fail(&error);
}

const struct command TOKEN_ISSUE = {
    "token", "issue", "--key FILE --sub NAME --role ROLE [--hospital ID]... [--hours N] [--out FILE]",
    N_("signs a token; ROLE is customer, staff, admin or auditor"), token_issue};

/* ---- token show ---- */

/* Returns an instant in whole seconds. One that is far outside the calendar is moved to its edge. */
static int64_t second_of(const json_t *value)
{
    static const double EDGE_S = 1e15;
    double second = json_number_value(value);
    return (int64_t)(second > EDGE_S ? EDGE_S : second < -EDGE_S ? -EDGE_S : second);
}

/* Returns a claim as text in the session's arena, or NULL when out of memory. */
static const char *claim_text(struct session *session, const char *name, const json_t *value)
{
    char instant[DATE_TIME_SIZE];
    bool time = strcmp(name, "iat") == 0 || strcmp(name, "exp") == 0 || strcmp(name, "nbf") == 0;
    if (json_is_string(value))
        return json_string_value(value);
    if (time && json_is_number(value))
        return arena_strdup(&session->arena, date_time_format(second_of(value), instant));
    char *dumped = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    const char *text = dumped == NULL ? NULL : arena_strdup(&session->arena, dumped);
    free(dumped);
    return text;
}

static int show_claims(struct session *session, json_t *claims)
{
    struct table table;
    const char *name;
    json_t *value;
    output_begin_pairs(&table, session);
    json_object_foreach(claims, name, value)
    {
        const char *text = claim_text(session, name, value);
        if (text == NULL)
            return client_fail_memory();
        output_pair(&table, name, text);
    }
    const json_t *end = json_object_get(claims, "exp");
    bool expired = !json_is_number(end) || json_number_value(end) * US_PER_S <= (double)clock_now_us();
    output_pair(&table, "valid", expired ? _("expired") : _("not expired"));
    return output_table(&table);
}

/* Decodes the claims of the first word of `text`, which it changes, without verifying them. */
static enum status decode(struct session *session, const char *path, char *text, json_t **claims,
                          struct error *error)
{
    struct auth_jws parts;
    text[strcspn(text, " \r\n")] = '\0';
    *claims = NULL;
    if (auth_jws_split(text, &parts))
        TRY(auth_jws_decode(parts.payload, parts.payload_length, &session->arena, claims, error));
    if (*claims == NULL)
        return error_set(error, STATUS_FAILED_PRECONDITION, NULL, _("%s: holds no token"), path);
    return STATUS_OK;
}

static enum status read_token(struct session *session, const char *path, json_t **claims, struct error *error)
{
    if (strcmp(path, "-") == 0) {
        char *text;
        TRY(file_read_input(&session->arena, TOKEN_MAX_BYTES, &text, NULL, error));
        return decode(session, path, text, claims, error);
    }
    struct secret_file file;
    TRY(secret_file_open("FILE", path, TOKEN_MAX_BYTES, &file, error));
    enum status status = decode(session, path, file.bytes, claims, error);
    secret_file_close(&file);
    return status;
}

static int token_show(struct session *session, const struct command *command, int argc, char **argv)
{
    char *path = NULL;
    const struct argument arguments[] = {{"FILE", &path, ARGUMENT_TEXT, true}};
    int exit_code;
    struct error error;
    json_t *claims;
    if (!command_read(session, command, arguments, COUNT_OF(arguments), argc, argv, &exit_code))
        return exit_code;
    if (read_token(session, path, &claims, &error) != STATUS_OK)
        return client_fail(&error);
    exit_code = session->json ? output_document(json_incref(claims)) : show_claims(session, claims);
    json_decref(claims);
    return exit_code;
}

const struct command TOKEN_SHOW = {"token", "show", "FILE|-",
                                   N_("shows what a token says, without verifying it"), token_show};
