#include "revocation.h"

#include "client.h"
#include "file.h"
#include "message.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

/* A list begins a little earlier, for clocks that are behind. */
enum { LIST_MAX_BYTES = 4 * 1024 * 1024, EARLIER_S = 5 * 60, VERSION_2 = 1 };

static enum status fail(const char *path, struct error *error)
{
    const char *reason = ERR_reason_error_string(ERR_get_error());
    ERR_clear_error();
    return error_set(error, STATUS_INTERNAL, NULL, "%s: OpenSSL: %s", path,
                     reason == NULL ? "unknown error" : reason);
}

/* ---- reading ---- */

enum status revocation_read(struct arena *arena, const char *path, X509_CRL **out, struct error *error)
{
    char *text;
    size_t size;
    TRY(file_read(arena, path, LIST_MAX_BYTES, &text, &size, error));
    BIO *bytes = BIO_new_mem_buf(text, (int)size);
    X509_CRL *list = bytes == NULL ? NULL : PEM_read_bio_X509_CRL(bytes, NULL, NULL, NULL);
    BIO_free(bytes);
    ERR_clear_error();
    if (list == NULL)
        return error_set(error, STATUS_FAILED_PRECONDITION, NULL,
                         _("%s: holds no list of revoked certificates"), path);
    *out = list;
    return STATUS_OK;
}

int64_t revocation_end_s(const X509_CRL *list)
{
    struct tm end = {0};
    const ASN1_TIME *next = X509_CRL_get0_nextUpdate(list);
    return next != NULL && ASN1_TIME_to_tm(next, &end) == 1 ? (int64_t)timegm(&end) : 0;
}

/* Reads the authority's list. Sets *out to NULL if there is no file. */
static enum status read_own(struct arena *arena, const char *path, const struct certificate *authority,
                            X509_CRL **out, struct error *error)
{
    enum status status = revocation_read(arena, path, out, error);
    if (status == STATUS_NOT_FOUND)
        *out = NULL;
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    int verified = X509_CRL_verify(*out, X509_get0_pubkey(authority->x509));
    ERR_clear_error();
    if (verified == 1)
        return STATUS_OK;
    X509_CRL_free(*out);
    return error_set(error, STATUS_FAILED_PRECONDITION, NULL, _("%s: is not a list of this authority"), path);
}

/* ---- making ---- */

static bool add_entry(X509_CRL *list, X509_REVOKED *entry)
{
    if (entry != NULL && X509_CRL_add0_revoked(list, entry) == 1)
        return true;
    X509_REVOKED_free(entry);
    return false;
}

static bool add_old_entries(X509_CRL *list, X509_CRL *old)
{
    STACK_OF(X509_REVOKED) *entries = old == NULL ? NULL : X509_CRL_get_REVOKED(old);
    for (int i = 0; i < sk_X509_REVOKED_num(entries); i++)
        if (!add_entry(list, X509_REVOKED_dup(sk_X509_REVOKED_value(entries, i))))
            return false;
    return true;
}

/* Adds the certificate, unless the list has it. */
static bool add_certificate(X509_CRL *list, const X509 *certificate, int64_t now_s)
{
    X509_REVOKED *found;
    ASN1_INTEGER *serial = ASN1_INTEGER_dup(X509_get0_serialNumber(certificate));
    if (serial != NULL && X509_CRL_get0_by_serial(list, &found, serial) != 0) {
        ASN1_INTEGER_free(serial);
        return true;
    }
    X509_REVOKED *entry = X509_REVOKED_new();
    ASN1_TIME *now = ASN1_TIME_set(NULL, (time_t)now_s);
    bool filled = entry != NULL && serial != NULL && now != NULL &&
                  X509_REVOKED_set_serialNumber(entry, serial) == 1 &&
                  X509_REVOKED_set_revocationDate(entry, now) == 1;
    ASN1_INTEGER_free(serial);
    ASN1_TIME_free(now);
    if (filled)
        return add_entry(list, entry);
    X509_REVOKED_free(entry);
    return false;
}

/* Each list has a larger number than the one that it replaces. */
static bool add_number(X509_CRL *list, X509_CRL *old)
{
    ASN1_INTEGER *number = old == NULL ? NULL : X509_CRL_get_ext_d2i(old, NID_crl_number, NULL, NULL);
    int64_t last = 0;
    if (number != NULL && ASN1_INTEGER_get_int64(&last, number) != 1)
        last = 0;
    ASN1_INTEGER_free(number);
    number = ASN1_INTEGER_new();
    bool added = number != NULL && ASN1_INTEGER_set_int64(number, last + 1) == 1 &&
                 X509_CRL_add1_ext_i2d(list, NID_crl_number, number, 0, 0) == 1;
    ASN1_INTEGER_free(number);
    return added;
}

static bool add_authority(X509_CRL *list, const struct certificate *authority)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, authority->x509, NULL, NULL, list, 0);
    X509_EXTENSION *extension =
        X509V3_EXT_conf_nid(NULL, &context, NID_authority_key_identifier, "keyid:always");
    bool added = extension != NULL && X509_CRL_add_ext(list, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added;
}

/* The list ends no earlier than `old`, unless that is NULL. */
static bool set_times(X509_CRL *list, X509_CRL *old, int64_t now_s, int64_t end_s)
{
    ASN1_TIME *begin = ASN1_TIME_set(NULL, (time_t)(now_s - EARLIER_S));
    ASN1_TIME *end = ASN1_TIME_set(NULL, (time_t)end_s);
    const ASN1_TIME *old_end = old != NULL ? X509_CRL_get0_nextUpdate(old) : NULL;
    bool later = end != NULL && old_end != NULL && ASN1_TIME_compare(old_end, end) > 0;
    bool set = begin != NULL && end != NULL && X509_CRL_set1_lastUpdate(list, begin) == 1 &&
               X509_CRL_set1_nextUpdate(list, later ? old_end : end) == 1;
    ASN1_TIME_free(begin);
    ASN1_TIME_free(end);
    return set;
}

static X509_CRL *make(const struct certificate *authority, X509_CRL *old, const X509 *revoked, int64_t end_s)
{
    int64_t now_s = clock_now_us() / US_PER_S;
    X509_CRL *list = X509_CRL_new();
    if (list != NULL && X509_CRL_set_version(list, VERSION_2) == 1 &&
        X509_CRL_set_issuer_name(list, X509_get_subject_name(authority->x509)) == 1 &&
        set_times(list, revoked == NULL ? old : NULL, now_s, end_s) && add_old_entries(list, old) &&
        (revoked == NULL || add_certificate(list, revoked, now_s)) && add_authority(list, authority) &&
        add_number(list, old) && X509_CRL_sort(list) == 1 &&
        X509_CRL_sign(list, authority->key, EVP_sha256()) > 0)
        return list;
    X509_CRL_free(list);
    return NULL;
}

/* ---- writing ---- */

static enum status write_pem(const char *path, X509_CRL *list, struct error *error)
{
    BIO *memory = BIO_new(BIO_s_mem());
    char *bytes;
    if (memory == NULL || PEM_write_bio_X509_CRL(memory, list) != 1) {
        BIO_free(memory);
        return fail(path, error);
    }
    long size = BIO_get_mem_data(memory, &bytes);
    enum status status = file_replace(path, bytes, (size_t)size, FILE_MODE_PUBLIC, error);
    BIO_free(memory);
    return status;
}

enum status revocation_write(struct arena *arena, const char *path, const struct certificate *authority,
                             const X509 *revoked, int64_t end_s, size_t *count, struct error *error)
{
    X509_CRL *old;
    TRY(read_own(arena, path, authority, &old, error));
    X509_CRL *list = make(authority, old, revoked, end_s);
    X509_CRL_free(old);
    if (list == NULL)
        return fail(path, error);
    int entries = sk_X509_REVOKED_num(X509_CRL_get_REVOKED(list));
    *count = entries > 0 ? (size_t)entries : 0;
    enum status status = write_pem(path, list, error);
    X509_CRL_free(list);
    return status;
}
