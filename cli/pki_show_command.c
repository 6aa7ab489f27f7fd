/* screenctl pki show: lists the certificates and signing keys of a folder and when they expire */
#include "client.h"
#include "date.h"
#include "message.h"
#include "output.h"
#include "pki.h"
#include "revocation.h"
#include "signing_key.h"

#include <openssl/x509v3.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"

enum { DAY_S = 24 * 60 * 60, SOON_DAYS = 30, KEY_ID_MAX_BYTES = 32 };

/* One certificate or public key. */
struct entry {
    const char *file, *subject, *purpose, *key_id;
    int64_t end_s; /* 0 = it does not expire */
    bool replaced; /* whether its end is intended */
};

struct list {
    struct session *session;
    const char *dir;
    int64_t now_s;
    struct table table;
    json_t *document; /* NULL = a table is wanted */
    size_t count;
};

static const char *const PURPOSES[] = {
    [CERTIFICATE_AUTHORITY] = N_("signs certificates"),
    [CERTIFICATE_PEER] = N_("calls between services"),
    [CERTIFICATE_SERVER] = N_("what clients connect to"),
};

static bool expires_soon(const struct list *list, const struct entry *entry)
{
    return !entry->replaced && entry->end_s != 0 && entry->end_s - list->now_s <= (int64_t)SOON_DAYS * DAY_S;
}

static const char *remark(const struct list *list, const struct entry *entry)
{
    if (!expires_soon(list, entry))
        return "";
    if (entry->end_s <= list->now_s)
        return _("expired");
    size_t days = (size_t)((entry->end_s - list->now_s) / DAY_S);
    const char *text =
        arena_printf(&list->session->arena,
                     output_plural(days, N_("expires in %zu day"), N_("expires in %zu days")), days);
    return text == NULL ? "" : text;
}

static enum status add_json(struct list *list, const struct entry *entry, struct error *error)
{
    char end[CLOCK_TEXT_SIZE];
    json_t *expires =
        entry->end_s == 0 ? json_null() : json_string(clock_format(entry->end_s * US_PER_S, end));
    json_t *one = json_pack("{s:s, s:s, s:s, s:s, s:o, s:b}", "file", entry->file, "subject", entry->subject,
                            "purpose", entry->purpose, "keyId", entry->key_id, "expires", expires,
                            "expiresSoon", expires_soon(list, entry));
    return json_array_append_new(json_object_get(list->document, "entries"), one) == 0
               ? STATUS_OK
               : client_no_memory(error);
}

static enum status add(struct list *list, const struct entry *entry, struct error *error)
{
    char end[DATE_TIME_SIZE];
    list->count++;
    if (list->document != NULL)
        return add_json(list, entry, error);
    table_text(&list->table, entry->file);
    table_text(&list->table, entry->subject);
    table_text(&list->table, message(entry->purpose));
    table_text(&list->table, entry->end_s == 0 ? "-" : date_time_format(entry->end_s, end));
    table_text(&list->table, remark(list, entry));
    table_text(&list->table, entry->key_id);
    return STATUS_OK;
}

/* ---- certificates ---- */

/* Returns the identifier of the certificate's key in hexadecimal, in the arena, or "" if it has none. */
static const char *key_id_of(struct arena *arena, X509 *x509)
{
    const ASN1_OCTET_STRING *id = X509_get0_subject_key_id(x509);
    int size = id == NULL ? 0 : ASN1_STRING_length(id);
    char *text = size > 0 && size <= KEY_ID_MAX_BYTES ? arena_alloc(arena, (size_t)size * 2 + 1) : NULL;
    if (text == NULL)
        return "";
    hex_write(text, ASN1_STRING_get0_data(id), (size_t)size); /* arena memory is zeroed */
    return text;
}

static const char *subject_of(struct arena *arena, const X509 *x509)
{
    char name[PKI_NAME_MAX + 1] = "";
    (void)X509_NAME_get_text_by_NID(X509_get_subject_name(x509), NID_commonName, name, sizeof name);
    const char *copy = arena_strdup(arena, name);
    return copy == NULL ? "" : copy;
}

/* Adds the certificate of a file in the folder. A file that is absent may lie on another host. */
static enum status add_certificate(struct list *list, const char *file, enum certificate_use use,
                                   struct error *error)
{
    struct arena *arena = &list->session->arena;
    char *path = file == NULL ? NULL : arena_printf(arena, "%s/%s", list->dir, file);
    X509 *x509 = NULL;
    if (path == NULL)
        return client_no_memory(error);
    enum status status = certificate_read(arena, path, &x509, error);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (status != STATUS_OK)
        return status;
    const struct entry entry = {.file = file,
                                .subject = subject_of(arena, x509),
                                .purpose = PURPOSES[use],
                                .key_id = key_id_of(arena, x509),
                                .end_s = certificate_end_s(x509)};
    status = add(list, &entry, error);
    X509_free(x509);
    return status;
}

static enum status add_certificates(struct list *list, struct error *error)
{
    struct arena *arena = &list->session->arena;
    for (size_t i = 0; i < PKI_CA_COUNT; i++) {
        TRY(add_certificate(list, arena_printf(arena, "%s.pem", PKI_CA_STEMS[i]), CERTIFICATE_AUTHORITY,
                            error));
    }
    for (size_t i = 0; i < PKI_LEAF_COUNT; i++) {
        const struct pki_leaf *leaf = &PKI_LEAVES[i];
        TRY(add_certificate(list, arena_printf(arena, "%s/%s.pem", leaf->owner, leaf->stem), leaf->use,
                            error));
    }
    return STATUS_OK;
}

static enum status add_revoked(struct list *list, struct error *error)
{
    char *path = pki_path(list->session, list->dir, PKI_REVOKED);
    X509_CRL *revoked = NULL;
    TRY(path == NULL ? client_no_memory(error) : STATUS_OK);
    enum status status = revocation_read(&list->session->arena, path, &revoked, error);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    size_t count = (size_t)sk_X509_REVOKED_num(X509_CRL_get_REVOKED(revoked));
    const struct entry entry = {.file = PKI_REVOKED,
                                .subject = arena_printf(&list->session->arena, "%zu", count),
                                .purpose = N_("revoked certificates"),
                                .key_id = "",
                                .end_s = revocation_end_s(revoked)};
    status = entry.subject == NULL ? client_no_memory(error) : add(list, &entry, error);
    X509_CRL_free(revoked);
    return status;
}

/* ---- signing keys ---- */

static enum status add_set(struct list *list, const struct pki_signer *signer, struct error *error)
{
    char *path = pki_path(list->session, list->dir, "%s", signer->set_name);
    json_t *set = NULL, *key;
    size_t i;
    TRY(path == NULL ? client_no_memory(error) : STATUS_OK);
    enum status status = signing_set_read(&list->session->arena, path, &set, error);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    json_array_foreach(json_object_get(set, "keys"), i, key)
    {
        int64_t end_s = signing_key_end_s(key);
        const struct entry entry = {.file = signer->set_name,
                                    .subject = signer->name,
                                    .purpose =
                                        end_s == 0 ? N_("signs tokens") : N_("signed tokens; replaced"),
                                    .key_id = signing_key_id(key),
                                    .end_s = end_s,
                                    .replaced = end_s != 0};
        if (status == STATUS_OK)
            status = add(list, &entry, error);
    }
    json_decref(set);
    return status;
}

/* ---- the command ---- */

static enum status fill(struct list *list, struct error *error)
{
    TRY(add_certificates(list, error));
    TRY(add_revoked(list, error));
    for (size_t i = 0; i < COUNT_OF(PKI_SIGNERS); i++)
        TRY(add_set(list, &PKI_SIGNERS[i], error));
    if (list->count == 0)
        return error_set(error, STATUS_NOT_FOUND, NULL, _("%s: holds no certificates and no keys"),
                         list->dir);
    return STATUS_OK;
}

static int pki_show(struct session *session, const struct command *command, int argc, char **argv)
{
    static const struct table_column columns[] = {{N_("FILE"), false},   {N_("SUBJECT"), false},
                                                  {N_("FOR"), false},    {N_("EXPIRES"), false},
                                                  {N_("REMARK"), false}, {N_("KEY ID"), false}};
    char *dir = NULL;
    const struct argument arguments[] = {{"DIR", &dir, ARGUMENT_TEXT, true}};
    int exit_code;
    struct error error;
    if (!command_read(session, command, arguments, COUNT_OF(arguments), argc, argv, &exit_code))
        return exit_code;
    struct list list = {.session = session, .dir = dir, .now_s = clock_now_us() / US_PER_S};
    table_init(&list.table, &session->arena, columns, COUNT_OF(columns));
    list.table.layout = (struct table_layout){.if_filled = TABLE_COLUMN(4), .ids = TABLE_COLUMN(5)};
    if (session->json && (list.document = json_pack("{s:[]}", "entries")) == NULL)
        return client_fail_memory();
    if (fill(&list, &error) != STATUS_OK) {
        json_decref(list.document);
        return client_fail(&error);
    }
    return session->json ? output_document(list.document) : output_table(&list.table);
}

const struct command PKI_SHOW = {"pki", "show", "DIR",
                                 N_("lists certificates and signing keys and when they expire"), pki_show};
