#include "signing_key.h"

#include "client.h"
#include "file.h"
#include "message.h"

#include <jose/jwk.h>
#include <jose/jws.h>
#include <stdlib.h>
#include <string.h>

#include "auth/jwk.h"
#include "base/secret_file.h"

/* As much as the services read. */
enum { SET_MAX_BYTES = 256 * 1024 };

/* The id is the key's SHA-256 thumbprint (RFC 7638), so that two keys never share one. */
json_t *signing_key_make(void)
{
    json_t *key = json_pack("{s:s, s:s}", "alg", "ES256", "use", "sig");
    json_t *id = key != NULL && jose_jwk_gen(NULL, key) ? jose_jwk_thp(NULL, key, "S256") : NULL;
    if (id == NULL || json_object_set_new(key, "kid", id) != 0) {
        json_decref(key);
        return NULL;
    }
    return key;
}

json_t *signing_key_public(const json_t *key)
{
    json_t *copy = json_deep_copy(key);
    if (copy != NULL && !jose_jwk_pub(NULL, copy)) {
        json_decref(copy);
        return NULL;
    }
    return copy;
}

static const char *member(const json_t *key, const char *name)
{
    const char *text = json_string_value(json_object_get(key, name));
    return text == NULL ? "" : text;
}

const char *signing_key_id(const json_t *key)
{
    return member(key, "kid");
}

int64_t signing_key_end_s(const json_t *key)
{
    static const int64_t LATEST_S = INT64_C(253402214400); /* 9999-12-31 */
    int64_t end_s = (int64_t)json_integer_value(json_object_get(key, "exp"));
    return end_s < 0 ? 0 : end_s > LATEST_S ? LATEST_S : end_s;
}

static bool is_public_set(const json_t *set)
{
    const json_t *keys = json_object_get(set, "keys"), *key;
    size_t i;
    json_array_foreach(keys, i, key)
    {
        if (signing_key_id(key)[0] == '\0' || auth_jwk_secret_member(key) != NULL)
            return false;
    }
    return json_is_array(keys);
}

enum status signing_set_read(struct arena *arena, const char *path, json_t **out, struct error *error)
{
    char *text;
    size_t size;
    TRY(file_read(arena, path, SET_MAX_BYTES, &text, &size, error));
    json_t *set = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    if (!is_public_set(set)) {
        json_decref(set);
        return error_set(error, STATUS_FAILED_PRECONDITION, NULL,
                         _("%s: must be a JWK set of public keys with a kid"), path);
    }
    *out = set;
    return STATUS_OK;
}

enum status signing_key_write(const char *path, const json_t *document, bool secret, struct error *error)
{
    char *text = document == NULL ? NULL : json_dumps(document, JSON_INDENT(2));
    if (text == NULL)
        return client_no_memory(error);
    size_t length = strlen(text);
    text[length] = '\n'; /* in place of the NUL */
    enum status status =
        file_replace(path, text, length + 1, secret ? FILE_MODE_SECRET : FILE_MODE_PUBLIC, error);
    explicit_bzero(text, length);
    free(text);
    return status;
}
