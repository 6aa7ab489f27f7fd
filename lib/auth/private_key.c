#include "auth/private_key.h"

#include <stdlib.h>

#include "auth/jwk.h"
#include "auth/jws.h"
#include "base/secret_file.h"

enum { KEY_FILE_MAX_BYTES = 64 * 1024 };

struct auth_private_key {
    json_t *jwk;
};

static enum status read_key(const char *setting, const char *path, const struct secret_file *file,
                            json_t **out, struct error *error)
{
    struct auth_jwk_problem problem;
    json_error_t where;
    json_t *key = json_loadb(file->bytes, file->size, JSON_REJECT_DUPLICATES, &where);
    if (key == NULL) /* the text of the error could quote the file */
        return error_invalid(error, "%s: %s: line %d: must be a private key in JSON", setting, path,
                             where.line);
    enum status status = auth_jwk_private(key, out, &problem);
    json_decref(key);
    if (status == STATUS_INVALID_ARGUMENT)
        return error_invalid(error, "%s: %s: %s: %s", setting, path, problem.member, problem.what);
    return status == STATUS_OK ? STATUS_OK : error_no_memory(error);
}

enum status auth_private_key_open(const char *setting, const char *path, struct auth_private_key **out,
                                  struct error *error)
{
    struct secret_file file;
    TRY(secret_file_open(setting, path, KEY_FILE_MAX_BYTES, &file, error));
    struct auth_private_key *key = calloc(1, sizeof *key);
    enum status status =
        key != NULL ? read_key(setting, path, &file, &key->jwk, error) : error_no_memory(error);
    secret_file_close(&file);
    if (status == STATUS_OK)
        *out = key;
    else
        free(key);
    return status;
}

void auth_private_key_close(struct auth_private_key *key)
{
    if (key == NULL)
        return;
    json_decref(key->jwk);
    free(key);
}

enum status auth_private_key_sign(const struct auth_private_key *key, const json_t *claims,
                                  struct arena *arena, const char **out, struct error *error)
{
    return auth_jws_sign(claims, key->jwk, arena, out, error);
}
