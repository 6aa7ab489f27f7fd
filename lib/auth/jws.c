#include "auth/jws.h"

#include <jose/b64.h>
#include <jose/jws.h>
#include <jose/openssl.h>
#include <openssl/err.h>
#include <string.h>

/* Without such a function, libjose prints errors, which any client could cause, to stderr. */
static void ignore_error(void *misc, const char *file, int line, uint64_t code, const char *format,
                         va_list arguments)
{
    (void)misc, (void)file, (void)line, (void)code, (void)format, (void)arguments;
}

static jose_cfg_t *open_silent(void)
{
    jose_cfg_t *config = jose_cfg();
    if (config != NULL)
        jose_cfg_set_err_func(config, ignore_error, NULL);
    return config;
}

static void close_silent(jose_cfg_t *config)
{
    if (config != NULL)
        jose_cfg_decref(config);
}

/* Returns the end of a part, or NULL if it has no character or does not end with `end`. */
static const char *end_of(const char *part, char end)
{
    const size_t length = strspn(part, JOSE_B64_MAP);
    return length > 0 && part[length] == end ? part + length : NULL;
}

bool auth_jws_split(const char *token, struct auth_jws *out)
{
    const char *header_end = end_of(token, '.');
    const char *payload_end = header_end != NULL ? end_of(header_end + 1, '.') : NULL;
    const char *signature_end = payload_end != NULL ? end_of(payload_end + 1, '\0') : NULL;
    if (signature_end == NULL)
        return false;
    *out = (struct auth_jws){
        .header = token,
        .header_length = (size_t)(header_end - token),
        .payload = header_end + 1,
        .payload_length = (size_t)(payload_end - header_end - 1),
        .signature = payload_end + 1,
        .signature_length = (size_t)(signature_end - payload_end - 1),
    };
    return true;
}

enum status auth_jws_decode(const char *part, size_t length, struct arena *arena, json_t **out,
                            struct error *error)
{
    *out = NULL;
    const size_t size = jose_b64_dec_buf(part, length, NULL, 0);
    if (size == SIZE_MAX)
        return STATUS_OK;
    char *bytes = arena_alloc(arena, size + 1);
    if (bytes == NULL)
        return error_no_memory(error);
    if (jose_b64_dec_buf(part, length, bytes, size) != size)
        return STATUS_OK;
    json_t *value = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(value))
        *out = value;
    else
        json_decref(value);
    return STATUS_OK;
}

enum status auth_jws_verify(const struct auth_jws *jws, const json_t *jwk, bool *genuine, struct error *error)
{
    jose_cfg_t *config = open_silent();
    json_t *whole =
        json_pack("{s:s%,s:s%,s:s%}", "protected", jws->header, jws->header_length, "payload", jws->payload,
                  jws->payload_length, "signature", jws->signature, jws->signature_length);
    enum status status = config != NULL && whole != NULL ? STATUS_OK : error_no_memory(error);
    if (status == STATUS_OK) {
        *genuine = jose_jws_ver(config, whole, whole, jwk, true);
        ERR_clear_error(); /* a wrong signature leaves errors in OpenSSL's queue of this thread */
    }
    json_decref(whole);
    close_silent(config);
    return status;
}

static enum status sign(jose_cfg_t *config, json_t *whole, json_t *signature, const json_t *jwk,
                        struct arena *arena, const char **out, struct error *error)
{
    const char *parts[3] = {NULL};
    if (!jose_jws_sig(config, whole, signature, jwk) ||
        json_unpack(whole, "{s:s,s:s,s:s}", "protected", &parts[0], "payload", &parts[1], "signature",
                    &parts[2]) != 0)
        return error_set(error, STATUS_INTERNAL, NULL, "the token could not be signed");
    *out = arena_printf(arena, "%s.%s.%s", parts[0], parts[1], parts[2]);
    return *out != NULL ? STATUS_OK : error_no_memory(error);
}

enum status auth_jws_sign(const json_t *claims, const json_t *jwk, struct arena *arena, const char **out,
                          struct error *error)
{
    jose_cfg_t *config = open_silent();
    json_t *whole = json_pack("{s:o}", "payload", jose_b64_enc_dump(claims));
    json_t *signature = json_pack("{s:{s:O,s:O,s:s}}", "protected", "alg", json_object_get(jwk, "alg"), "kid",
                                  json_object_get(jwk, "kid"), "typ", "JWT");
    enum status status = config != NULL && whole != NULL && signature != NULL
                             ? sign(config, whole, signature, jwk, arena, out, error)
                             : error_no_memory(error);
    ERR_clear_error();
    json_decref(whole);
    json_decref(signature);
    close_silent(config);
    return status;
}

bool auth_jws_key_is_sound(const json_t *jwk, int *bits)
{
    jose_cfg_t *config = open_silent();
    EVP_PKEY *key = config != NULL ? jose_openssl_jwk_to_EVP_PKEY(config, jwk) : NULL;
    EVP_PKEY_CTX *context = key != NULL ? EVP_PKEY_CTX_new(key, NULL) : NULL;
    bool sound = context != NULL && EVP_PKEY_public_check(context) == 1;
    *bits = sound ? EVP_PKEY_bits(key) : 0;
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(key);
    ERR_clear_error();
    close_silent(config);
    return sound;
}
