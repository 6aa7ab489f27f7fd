/* screenctl issuer fetch: fetches the public keys of an OpenID Connect provider into a file */
#include "client.h"
#include "command.h"
#include "https.h"
#include "message.h"
#include "output.h"
#include "signing_key.h"

#include <stdio.h>
#include <string.h>

#include "auth/jwk.h"

enum { DISCOVERY_MAX_BYTES = 64 * 1024, SET_MAX_BYTES = 256 * 1024, KEYS_MAX = 64 };

#define DISCOVERY_PATH "/.well-known/openid-configuration"

/* Fetches a JSON object without repeated members. The caller owns *out. */
static enum status fetch_object(struct session *session, const char *url, const char *ca_file,
                                size_t max_bytes, json_t **out, struct error *error)
{
    const struct https_options options = {
        .ca_file = ca_file, .timeout_ms = session->timeout_ms, .max_bytes = max_bytes};
    char *text;
    size_t size;
    TRY(https_get(&session->arena, url, &options, &text, &size, error));
    json_t *object = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(object)) {
        json_decref(object);
        return error_set(error, STATUS_FAILED_PRECONDITION, NULL, _("%s: must be a JSON object"), url);
    }
    *out = object;
    return STATUS_OK;
}

/* ---- discovery ---- */

/* Checks the discovery document and copies the address of the keys into the arena. */
static enum status read_discovery(struct session *session, const char *issuer, const char *url,
                                  const json_t *document, const char **keys_url, struct error *error)
{
    const char *named = auth_jwk_text(document, "issuer"), *address = auth_jwk_text(document, "jwks_uri");
    if (named == NULL || strcmp(named, issuer) != 0)
        return error_set(error, STATUS_FAILED_PRECONDITION, NULL, _("%s: issuer: must be %s"), url, issuer);
    if (address == NULL || !https_url_is_valid(address))
        return error_set(error, STATUS_FAILED_PRECONDITION, NULL,
                         _("%s: jwks_uri: must be an https:// address"), url);
    *keys_url = arena_strdup(&session->arena, address);
    return *keys_url == NULL ? client_no_memory(error) : STATUS_OK;
}

static enum status discover(struct session *session, const char *issuer, const char *ca_file,
                            const char **keys_url, struct error *error)
{
    size_t length = strlen(issuer);
    json_t *document;
    const char *url = arena_printf(&session->arena, "%.*s" DISCOVERY_PATH,
                                   (int)(length - (issuer[length - 1] == '/' ? 1 : 0)), issuer);
    TRY(url == NULL ? client_no_memory(error) : STATUS_OK);
    TRY(fetch_object(session, url, ca_file, DISCOVERY_MAX_BYTES, &document, error));
    enum status status = read_discovery(session, issuer, url, document, keys_url, error);
    json_decref(document);
    return status;
}

/* ---- keys ---- */

static bool has_key(const json_t *keys, const char *id)
{
    const json_t *key;
    size_t i;
    json_array_foreach(keys, i, key)
    {
        if (strcmp(signing_key_id(key), id) == 0)
            return true;
    }
    return false;
}

/*
 * Adds the key to `keys` with the members that the services use, or skips one that they cannot use. A private
 * key is refused: the provider has published it by mistake, or this is not the provider.
 */
static enum status take_key(const char *url, const json_t *key, json_t *keys, size_t *skipped,
                            struct error *error)
{
    struct auth_jwk_problem problem;
    const char *use = auth_jwk_text(key, "use"), *secret = auth_jwk_secret_member(key);
    json_t *taken;
    if (secret != NULL)
        return error_set(error, STATUS_FAILED_PRECONDITION, NULL, _("%s: key %s: %s: must not be published"),
                         url, signing_key_id(key), secret);
    enum status status = use != NULL && strcmp(use, "sig") != 0 ? STATUS_INVALID_ARGUMENT
                                                                : auth_jwk_public(key, &taken, &problem);
    if (status == STATUS_INVALID_ARGUMENT) {
        *skipped += 1;
        return STATUS_OK;
    }
    if (status != STATUS_OK)
        return client_no_memory(error);
    bool repeated = has_key(keys, signing_key_id(taken));
    if (json_array_append_new(keys, taken) != 0)
        return client_no_memory(error);
    if (repeated)
        return error_set(error, STATUS_FAILED_PRECONDITION, NULL, _("%s: key %s: occurs twice"), url,
                         signing_key_id(key));
    return STATUS_OK;
}

static enum status take_keys(const char *url, const json_t *document, json_t *keys, size_t *skipped,
                             struct error *error)
{
    const json_t *published = json_object_get(document, "keys"), *key;
    size_t i;
    *skipped = 0;
    if (!json_is_array(published) || json_array_size(published) > KEYS_MAX)
        return error_set(error, STATUS_FAILED_PRECONDITION, NULL,
                         _("%s: keys: must be an array of at most %d"), url, KEYS_MAX);
    json_array_foreach(published, i, key)
    {
        TRY(take_key(url, key, keys, skipped, error));
    }
    if (json_array_size(keys) == 0)
        return error_set(error, STATUS_FAILED_PRECONDITION, NULL,
                         _("%s: keys: none can be used (ES256, or RS256 with 2048 bits)"), url);
    return STATUS_OK;
}

/* ---- the command ---- */

/* Writes the set unless the file already holds the same. */
static enum status write_if_changed(struct session *session, const char *path, const json_t *set,
                                    bool *changed, struct error *error)
{
    json_t *old = NULL;
    enum status status = signing_set_read(&session->arena, path, &old, error);
    *changed = status != STATUS_OK || !json_equal(old, set);
    json_decref(old);
    return *changed ? signing_key_write(path, set, false, error) : STATUS_OK;
}

/* What a run found. */
struct outcome {
    size_t keys, skipped;
    bool changed;
};

static enum status fetch(struct session *session, const char *issuer, const char *ca_file, const char *path,
                         struct outcome *outcome, struct error *error)
{
    const char *url;
    json_t *document;
    TRY(discover(session, issuer, ca_file, &url, error));
    TRY(fetch_object(session, url, ca_file, SET_MAX_BYTES, &document, error));
    json_t *keys = json_array(), *set = json_pack("{s:O}", "keys", keys);
    enum status status =
        set == NULL ? client_no_memory(error) : take_keys(url, document, keys, &outcome->skipped, error);
    outcome->keys = json_array_size(keys);
    if (status == STATUS_OK)
        status = write_if_changed(session, path, set, &outcome->changed, error);
    json_decref(set);
    json_decref(keys);
    json_decref(document);
    return status;
}

static int issuer_fetch(struct session *session, const struct command *command, int argc, char **argv)
{
    char *issuer = NULL, *path = NULL, *ca_file = NULL;
    const struct argument arguments[] = {{"URL", &issuer, ARGUMENT_TEXT, true},
                                         {"--out", &path, ARGUMENT_TEXT, true},
                                         {"--ca", &ca_file, ARGUMENT_TEXT, false}};
    int exit_code;
    struct error error;
    struct outcome outcome = {0};
    if (!command_read(session, command, arguments, COUNT_OF(arguments), argc, argv, &exit_code))
        return exit_code;
    if (!https_url_is_valid(issuer))
        return usage_error(command, "URL %s: must be an https:// address without a query", issuer);
    if (fetch(session, issuer, ca_file, path, &outcome, &error) != STATUS_OK)
        return client_fail(&error);
    if (session->json) {
        return output_document(json_pack("{s:s, s:i, s:i, s:b}", "issuer", issuer, "keys", (int)outcome.keys,
                                         "skipped", (int)outcome.skipped, "changed", outcome.changed));
    }
    printf(output_plural(outcome.keys, N_("%zu key"), N_("%zu keys")), outcome.keys);
    printf(_(", %zu skipped; %s %s\n"), outcome.skipped, path,
           outcome.changed ? _("written") : _("unchanged"));
    return EXIT_DONE;
}

const struct command ISSUER_FETCH = {"issuer", "fetch", "URL --out FILE [--ca FILE]",
                                     N_("fetches the public keys of an OpenID Connect provider"),
                                     issuer_fetch};
