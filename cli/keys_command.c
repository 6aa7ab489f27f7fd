/*
 * screenctl keys: replaces the keys that sign tokens. A replaced public key stays in its set, with the
 * instant in its member "exp" after which no token of it is valid. Then the next keys rotate or keys prune
 * drops it.
 */
#include "client.h"
#include "message.h"
#include "output.h"
#include "pki.h"
#include "signing_key.h"

#include <string.h>

#include "base/clock.h"

/* What a run does to each chosen signer, and what it reports. */
struct run {
    struct session *session;
    const char *dir;
    const char *only; /* NULL = all signers */
    bool replace;     /* whether to make a new key */
    bool revoke;      /* whether the old keys are dropped at once */
    int64_t now_s;
    struct table table;
    json_t *document; /* NULL = a table is wanted */
};

/* ---- sets ---- */

/* Returns a new array of the keys that are still needed, or NULL when out of memory. */
static json_t *kept_keys(const struct run *run, const struct pki_signer *signer, const json_t *set,
                         size_t *dropped)
{
    json_t *kept = json_array(), *key;
    size_t i;
    *dropped = 0;
    json_array_foreach(json_object_get(set, "keys"), i, key)
    {
        int64_t end_s = signing_key_end_s(key);
        bool old = run->replace || end_s != 0;
        if (old && (run->revoke || (end_s != 0 && end_s <= run->now_s))) {
            *dropped += 1;
            continue;
        }
        if ((old && end_s == 0 &&
             json_object_set_new(key, "exp", json_integer(run->now_s + signer->hold_s)) != 0) ||
            json_array_append(kept, key) != 0) {
            json_decref(kept);
            return NULL;
        }
    }
    return kept;
}

static enum status report(struct run *run, const struct pki_signer *signer, const json_t *kept,
                          size_t dropped, struct error *error)
{
    const char *current = signing_key_id(json_array_get(kept, 0));
    size_t old = json_array_size(kept) > 0 ? json_array_size(kept) - 1 : 0;
    if (run->document != NULL) {
        json_t *one = json_pack("{s:s, s:s, s:i, s:i}", "issuer", signer->name, "keyId", current, "replaced",
                                (int)old, "dropped", (int)dropped);
        return json_array_append_new(json_object_get(run->document, "keys"), one) == 0
                   ? STATUS_OK
                   : client_no_memory(error);
    }
    table_text(&run->table, signer->name);
    table_text(&run->table, current);
    table_number(&run->table, old);
    table_number(&run->table, dropped);
    return STATUS_OK;
}

/*
 * Writes the set before the key, so that a token of the new key is never signed before its public key can be
 * found. If the process is killed in between, the next run replaces that public key, too.
 */
static enum status write_both(const char *set_path, const char *key_path, const json_t *kept,
                              const json_t *key, struct error *error)
{
    json_t *set = json_pack("{s:O}", "keys", kept);
    enum status status = signing_key_write(set_path, set, false, error);
    if (status == STATUS_OK && key != NULL)
        status = signing_key_write(key_path, key, true, error);
    json_decref(set);
    return status;
}

static enum status change(struct run *run, const struct pki_signer *signer, json_t *set, struct error *error)
{
    char *set_path = pki_path(run->session, run->dir, "%s", signer->set_name);
    char *key_path = pki_path(run->session, run->dir, "%s", signer->key_name);
    size_t dropped;
    json_t *key = run->replace ? signing_key_make() : NULL;
    json_t *kept = kept_keys(run, signer, set, &dropped);
    bool made =
        set_path != NULL && key_path != NULL && kept != NULL &&
        (!run->replace || (key != NULL && json_array_insert_new(kept, 0, signing_key_public(key)) == 0));
    enum status status = made ? STATUS_OK : client_no_memory(error);
    if (status == STATUS_OK && (run->replace || dropped > 0))
        status = write_both(set_path, key_path, kept, key, error);
    if (status == STATUS_OK)
        status = report(run, signer, kept, dropped, error);
    json_decref(key);
    json_decref(kept);
    return status;
}

static enum status change_one(struct run *run, const struct pki_signer *signer, struct error *error)
{
    json_t *set = NULL;
    char *path = pki_path(run->session, run->dir, "%s", signer->set_name);
    TRY(path == NULL ? client_no_memory(error) : STATUS_OK);
    enum status status = signing_set_read(&run->session->arena, path, &set, error);
    if (status == STATUS_NOT_FOUND && run->only == NULL && strcmp(signer->name, PKI_BRIDGE) == 0)
        return STATUS_OK; /* a folder that an earlier version has made */
    TRY(status);
    status = change(run, signer, set, error);
    json_decref(set);
    return status;
}

static enum status change_all(struct run *run, struct error *error)
{
    int lock;
    TRY(pki_lock(run->dir, &lock, error));
    enum status status = STATUS_OK;
    for (size_t i = 0; i < COUNT_OF(PKI_SIGNERS) && status == STATUS_OK; i++)
        if (run->only == NULL || strcmp(run->only, PKI_SIGNERS[i].name) == 0)
            status = change_one(run, &PKI_SIGNERS[i], error);
    pki_unlock(lock);
    return status;
}

/* ---- the commands ---- */

static int run_and_print(struct run *run)
{
    static const struct table_column columns[] = {
        {N_("SIGNER"), false}, {N_("KEY ID"), false}, {N_("REPLACED"), true}, {N_("DROPPED"), true}};
    struct error error;
    run->now_s = clock_now_us() / US_PER_S;
    table_init(&run->table, &run->session->arena, columns, COUNT_OF(columns));
    run->table.layout.ids = TABLE_COLUMN(1);
    if (run->session->json && (run->document = json_pack("{s:[]}", "keys")) == NULL)
        return client_fail_memory();
    if (change_all(run, &error) != STATUS_OK) {
        json_decref(run->document);
        return client_fail(&error);
    }
    return run->session->json ? output_document(run->document) : output_table(&run->table);
}

static int keys_rotate(struct session *session, const struct command *command, int argc, char **argv)
{
    char *dir = NULL, *service = NULL;
    protobuf_c_boolean issuer = false, revoke = false;
    const struct argument arguments[] = {{"DIR", &dir, ARGUMENT_TEXT, true},
                                         {"--service", &service, ARGUMENT_TEXT, false},
                                         {"--issuer", &issuer, ARGUMENT_SWITCH, false},
                                         {"--revoke", &revoke, ARGUMENT_SWITCH, false}};
    int exit_code;
    if (!command_read(session, command, arguments, COUNT_OF(arguments), argc, argv, &exit_code))
        return exit_code;
    if (service != NULL && issuer)
        return usage_error(command, "--issuer: excludes --service");
    if (service != NULL && !pki_is_service(service) && strcmp(service, PKI_BRIDGE) != 0)
        return usage_error(command, "--service %s: must be %s", service, PKI_SERVICE_LIST ", " PKI_BRIDGE);
    struct run run = {.session = session,
                      .dir = dir,
                      .only = issuer ? PKI_ISSUER : service,
                      .replace = true,
                      .revoke = revoke};
    return run_and_print(&run);
}

const struct command KEYS_ROTATE = {
    "keys", "rotate", "DIR [--service NAME | --issuer] [--revoke]",
    N_("replaces signing keys; --revoke: tokens of the old ones become invalid at once"), keys_rotate};

static int keys_prune(struct session *session, const struct command *command, int argc, char **argv)
{
    char *dir = NULL;
    const struct argument arguments[] = {{"DIR", &dir, ARGUMENT_TEXT, true}};
    int exit_code;
    if (!command_read(session, command, arguments, COUNT_OF(arguments), argc, argv, &exit_code))
        return exit_code;
    struct run run = {.session = session, .dir = dir};
    return run_and_print(&run);
}

const struct command KEYS_PRUNE = {"keys", "prune", "DIR",
                                   N_("drops replaced signing keys whose tokens have expired"), keys_prune};
