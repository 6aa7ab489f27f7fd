/* screenctl pki init: makes the keys and certificates of an installation */
#include "client.h"
#include "file.h"
#include "message.h"
#include "output.h"
#include "pki.h"
#include "signing_key.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WALK_FILES_MAX = 8 };

/* ---- where ---- */

/*
 * Returns OK if there is nothing at `dir`, or an empty folder. Otherwise FAILED_PRECONDITION names what would
 * be overwritten.
 */
static enum status check_absent(const char *dir, struct error *error)
{
    DIR *folder = opendir(dir);
    if (folder == NULL && errno == ENOENT)
        return STATUS_OK;
    if (folder == NULL)
        return error_set(error, STATUS_FAILED_PRECONDITION, NULL, "%s: %s", dir, strerror(errno));
    const struct dirent *entry;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && (entry = readdir(folder)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            status = error_set(error, STATUS_FAILED_PRECONDITION, NULL,
                               _("%s/%s: exists and is not overwritten"), dir, entry->d_name);
    }
    closedir(folder);
    return status;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

/* ---- what ---- */

static enum status write_issuer(json_t *issuers, const char *name, const char *audience, json_t *roles,
                                const char *scope, struct error *error)
{
    json_t *issuer = json_pack("{s:s, s:s, s:s+, s:o}", "issuer", name, "audience", audience, "keys", name,
                               ".jwks.json", "roles", roles);
    bool made = issuer != NULL &&
                (scope == NULL || json_object_set_new(issuer, "scope_claim", json_string(scope)) == 0);
    if (!made) {
        json_decref(issuer);
        return client_no_memory(error);
    }
    return json_array_append_new(issuers, issuer) == 0 ? STATUS_OK : client_no_memory(error);
}

static enum status fill_issuers(json_t *issuers, struct error *error)
{
    json_t *roles = json_pack("{s:s, s:{s:s, s:s, s:s, s:s}}", "claim", "role", "values", "customer",
                              "customer", "staff", "staff", "admin", "admin", "auditor", "auditor");
    TRY(write_issuer(issuers, PKI_ISSUER, PKI_ISSUER, roles, "hospitals", error));
    for (size_t i = PKI_SIGNER_FIRST_PROGRAM; i < PKI_SIGNER_COUNT; i++) {
        json_t *always = json_pack("{s:s}", "always", "service");
        TRY(write_issuer(issuers, PKI_SIGNERS[i].name, "@program", always, NULL, error));
    }
    return STATUS_OK;
}

static enum status write_issuers(struct session *session, const char *dir, struct error *error)
{
    char *path = pki_path(session, dir, "issuers.json");
    json_t *issuers = json_array();
    json_t *document = json_pack("{s:O}", "issuers", issuers);
    enum status status = path == NULL || document == NULL ? client_no_memory(error) : STATUS_OK;
    if (status == STATUS_OK)
        status = fill_issuers(issuers, error);
    if (status == STATUS_OK)
        status = signing_key_write(path, document, false, error);
    json_decref(issuers);
    json_decref(document);
    return status;
}

/* Writes a new private key to `key_path`, and the set that holds its public half to `set_path`. */
static enum status write_signing_key(const char *key_path, const char *set_path, struct error *error)
{
    if (key_path == NULL || set_path == NULL)
        return client_no_memory(error);
    json_t *key = signing_key_make();
    json_t *set = key == NULL ? NULL : json_pack("{s:[o]}", "keys", signing_key_public(key));
    enum status status = set == NULL ? client_no_memory(error) : STATUS_OK;
    if (status == STATUS_OK)
        status = signing_key_write(set_path, set, false, error);
    if (status == STATUS_OK)
        status = signing_key_write(key_path, key, true, error);
    json_decref(key);
    json_decref(set);
    return status;
}

static enum status write_signing_keys(struct session *session, const char *dir, struct error *error)
{
    for (size_t i = 0; i < COUNT_OF(PKI_SIGNERS); i++) {
        TRY(write_signing_key(pki_path(session, dir, "%s", PKI_SIGNERS[i].key_name),
                              pki_path(session, dir, "%s", PKI_SIGNERS[i].set_name), error));
    }
    return STATUS_OK;
}

static enum status make_folder(const char *path, struct error *error)
{
    if (path == NULL)
        return client_no_memory(error);
    if (mkdir(path, S_IRWXU) != 0)
        return error_set(error, STATUS_FAILED_PRECONDITION, NULL, "%s: %s", path, strerror(errno));
    return STATUS_OK;
}

static enum status write_certificates(struct session *session, const char *dir, const struct text_list *hosts,
                                      uint32_t days, struct error *error)
{
    struct pki_authorities authorities;
    TRY(pki_authorities_make(session, dir, &authorities, error));
    enum status status = STATUS_OK;
    for (size_t i = 0; i < PKI_LEAF_COUNT && status == STATUS_OK; i++)
        status = pki_leaf_write(session, dir, &PKI_LEAVES[i], &authorities, hosts, days, error);
    pki_authorities_fini(&authorities);
    return status;
}

static enum status write_all(struct session *session, const char *dir, const struct text_list *hosts,
                             uint32_t days, struct error *error)
{
    for (size_t i = PKI_SIGNER_FIRST_PROGRAM; i < PKI_SIGNER_COUNT; i++)
        TRY(make_folder(pki_path(session, dir, "%s", PKI_SIGNERS[i].name), error));
    TRY(make_folder(pki_path(session, dir, "front"), error));
    TRY(write_certificates(session, dir, hosts, days, error));
    TRY(write_signing_keys(session, dir, error));
    return write_issuers(session, dir, error);
}

/* ---- the command ---- */

/*
 * Makes everything in a folder beside `dir` and renames it, so that `dir` is complete or absent, even if the
 * process is killed. A rename replaces an empty folder but no other.
 */
static enum status make_pki(struct session *session, const char *dir, const struct text_list *hosts,
                            uint32_t days, struct error *error)
{
    char *beside = arena_printf(&session->arena, "%s.XXXXXX", dir);
    char *parent = arena_printf(&session->arena, "%s/..", dir);
    TRY(beside == NULL || parent == NULL ? client_no_memory(error) : STATUS_OK);
    TRY(check_absent(dir, error));
    if (mkdtemp(beside) == NULL)
        return error_set(error, STATUS_FAILED_PRECONDITION, NULL, "%s: %s", dir, strerror(errno));
    enum status status = write_all(session, beside, hosts, days, error);
    if (status == STATUS_OK)
        status = file_sync_folder(beside, error);
    if (status == STATUS_OK && rename(beside, dir) != 0)
        status = error_set(error, STATUS_FAILED_PRECONDITION, NULL, "%s: %s", dir, strerror(errno));
    if (status != STATUS_OK) {
        (void)nftw(beside, remove_entry, WALK_FILES_MAX, FTW_DEPTH | FTW_PHYS);
        return status;
    }
    return file_sync_folder(parent, error);
}

static void cut_slashes(char *dir)
{
    size_t length = strlen(dir);
    while (length > 1 && dir[length - 1] == '/')
        dir[--length] = '\0';
}

/* Returns whether the values are valid. If not, prints the usage. */
static bool check_hosts(const struct command *command, const struct text_list *hosts)
{
    for (size_t i = 0; i < hosts->count; i++) {
        const char *owner, *host = hosts->texts[i], *name = pki_host_split(host, &owner);
        if (name == NULL)
            usage_error(command, "--host %s: before the = must be %s or front", host, PKI_SERVICE_LIST);
        else if (!pki_name_is_valid(name))
            usage_error(command, "--host %s: must be a DNS name or an IP address", host);
        else if (pki_name_is_taken(name) && strcasecmp(name, owner) != 0)
            usage_error(command, "--host %s: only the certificate of %s may have this name", host, name);
        else
            continue;
        return false;
    }
    return true;
}

static int pki_init(struct session *session, const struct command *command, int argc, char **argv)
{
    char *dir = NULL;
    struct text_list hosts = {.count = 0};
    uint32_t days = PKI_DAYS_DEFAULT;
    const struct argument arguments[] = {{"DIR", &dir, ARGUMENT_TEXT, true},
                                         {"--host", &hosts, ARGUMENT_LIST, false},
                                         {"--days", &days, ARGUMENT_NUMBER, false}};
    int exit_code;
    struct error error;
    if (!command_read(session, command, arguments, COUNT_OF(arguments), argc, argv, &exit_code))
        return exit_code;
    if (dir[0] == '\0')
        return usage_error(command, "DIR: must not be empty");
    if (days == 0 || days > PKI_DAYS_MAX)
        return usage_error(command, "--days %u: must be 1 to %d", days, PKI_DAYS_MAX);
    if (!check_hosts(command, &hosts))
        return EXIT_USAGE;
    cut_slashes(dir);
    if (make_pki(session, dir, &hosts, days, &error) != STATUS_OK)
        return client_fail(&error);
    if (session->json)
        return output_document(json_pack("{s:s, s:i}", "folder", dir, "days", (int)days));
    printf(_("made %s: the certificates are valid for %u days\n"), dir, days);
    return EXIT_DONE;
}

const struct command PKI_INIT = {"pki", "init", "DIR [--host [SERVICE=]NAME]... [--days N]",
                                 N_("makes the certificates and signing keys of an installation"), pki_init};
