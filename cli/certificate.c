#include "certificate.h"

#include "client.h"
#include "file.h"
#include "message.h"

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#include "base/secret_file.h"

enum { PEM_MAX_BYTES = 64 * 1024 };

/* What the extensions of a certificate say, in the words of OpenSSL's configuration. */
static const struct {
    const char *constraints, *usage, *extended;
} USES[] = {
    [CERTIFICATE_AUTHORITY] = {"critical,CA:TRUE,pathlen:0", "critical,keyCertSign,cRLSign", NULL},
    [CERTIFICATE_PEER] = {"critical,CA:FALSE", "critical,digitalSignature", "serverAuth,clientAuth"},
    [CERTIFICATE_SERVER] = {"critical,CA:FALSE", "critical,digitalSignature", "serverAuth"},
};

static enum status fail(const char *what, struct error *error)
{
    const char *reason = ERR_reason_error_string(ERR_get_error());
    ERR_clear_error();
    return error_set(error, STATUS_INTERNAL, NULL, "%s: OpenSSL: %s", what,
                     reason == NULL ? "unknown error" : reason);
}

void certificate_fini(struct certificate *certificate)
{
    X509_free(certificate->x509);
    EVP_PKEY_free(certificate->key);
    *certificate = (struct certificate){0};
}

/* ---- making ---- */

/* A random serial number, as RFC 5280 allows: positive and at most 20 bytes. */
static bool set_serial(X509 *x509)
{
    enum { SERIAL_BITS = 127 };
    BIGNUM *serial = BN_new();
    bool set = serial != NULL && BN_rand(serial, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
               BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(x509)) != NULL;
    BN_free(serial);
    return set;
}

static bool set_name(X509 *x509, const char *name)
{
    return X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_UTF8,
                                      (const unsigned char *)name, -1, -1, 0) == 1;
}

static bool add_extension(X509 *x509, X509V3_CTX *context, int nid, const char *value)
{
    X509_EXTENSION *extension = value == NULL ? NULL : X509V3_EXT_conf_nid(NULL, context, nid, value);
    bool added = extension != NULL && X509_add_ext(x509, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added || value == NULL;
}

static bool copy_alternatives(X509 *x509, const X509 *like)
{
    int at = X509_get_ext_by_NID(like, NID_subject_alt_name, -1);
    return at < 0 || X509_add_ext(x509, X509_get_ext(like, at), -1) == 1;
}

static bool add_extensions(X509 *x509, const struct certificate_request *request)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, request->issuer != NULL ? request->issuer->x509 : x509, x509, NULL, NULL, 0);
    return add_extension(x509, &context, NID_basic_constraints, USES[request->use].constraints) &&
           add_extension(x509, &context, NID_key_usage, USES[request->use].usage) &&
           add_extension(x509, &context, NID_ext_key_usage, USES[request->use].extended) &&
           add_extension(x509, &context, NID_subject_key_identifier, "hash") &&
           (request->issuer == NULL ||
            add_extension(x509, &context, NID_authority_key_identifier, "keyid:always")) &&
           (request->alternatives != NULL || request->like == NULL
                ? add_extension(x509, &context, NID_subject_alt_name, request->alternatives)
                : copy_alternatives(x509, request->like));
}

static bool fill(const struct certificate_request *request, struct certificate *certificate)
{
    X509 *x509 = certificate->x509 = X509_new();
    EVP_PKEY *key = certificate->key = EVP_EC_gen("P-256");
    const struct certificate *issuer = request->issuer != NULL ? request->issuer : certificate;
    return x509 != NULL && key != NULL && X509_set_version(x509, X509_VERSION_3) == 1 && set_serial(x509) &&
           set_name(x509, request->name) &&
           X509_set_issuer_name(x509, X509_get_subject_name(issuer->x509)) == 1 &&
           ASN1_TIME_set(X509_getm_notBefore(x509), (time_t)request->not_before_s) != NULL &&
           ASN1_TIME_set(X509_getm_notAfter(x509), (time_t)request->not_after_s) != NULL &&
           X509_set_pubkey(x509, key) == 1 && add_extensions(x509, request) &&
           X509_sign(x509, issuer->key, EVP_sha256()) > 0;
}

enum status certificate_make(const struct certificate_request *request, struct certificate *out,
                             struct error *error)
{
    struct certificate made = {0};
    if (!fill(request, &made)) {
        certificate_fini(&made);
        return fail(request->name, error);
    }
    *out = made;
    return STATUS_OK;
}

/* ---- files ---- */

enum status certificate_to_pem(struct arena *arena, X509 *x509, EVP_PKEY *key, const char **out,
                               struct error *error)
{
    BIO *memory = BIO_new(BIO_s_secmem());
    bool written = memory != NULL && (x509 == NULL || PEM_write_bio_X509(memory, x509) == 1) &&
                   (key == NULL || PEM_write_bio_PrivateKey(memory, key, NULL, NULL, 0, NULL, NULL) == 1);
    char *bytes;
    long size = written ? BIO_get_mem_data(memory, &bytes) : 0;
    char *text = written ? arena_alloc(arena, (size_t)size + 1) : NULL;
    if (text != NULL)
        memcpy(text, bytes, (size_t)size);
    BIO_free(memory);
    if (text == NULL)
        return written ? client_no_memory(error) : fail("PEM", error);
    *out = text;
    return STATUS_OK;
}

enum status certificate_read(struct arena *arena, const char *path, X509 **out, struct error *error)
{
    char *text;
    size_t size;
    TRY(file_read(arena, path, PEM_MAX_BYTES, &text, &size, error));
    BIO *bytes = BIO_new_mem_buf(text, (int)size);
    X509 *x509 = bytes == NULL ? NULL : PEM_read_bio_X509(bytes, NULL, NULL, NULL);
    BIO_free(bytes);
    ERR_clear_error();
    if (x509 == NULL)
        return error_set(error, STATUS_FAILED_PRECONDITION, NULL, _("%s: holds no certificate"), path);
    *out = x509;
    return STATUS_OK;
}

enum status certificate_read_key(const char *setting, const char *path, EVP_PKEY **out, struct error *error)
{
    struct secret_file file;
    TRY(secret_file_open(setting, path, PEM_MAX_BYTES, &file, error));
    BIO *bytes = BIO_new_mem_buf(file.bytes, (int)file.size);
    /* The empty passphrase prevents OpenSSL from asking for one on the terminal. */
    EVP_PKEY *key = bytes == NULL ? NULL : PEM_read_bio_PrivateKey(bytes, NULL, NULL, (void *)"");
    BIO_free(bytes);
    secret_file_close(&file);
    ERR_clear_error();
    if (key == NULL)
        return error_invalid(error, _("%s: %s: holds no private key"), setting, path);
    *out = key;
    return STATUS_OK;
}

int64_t certificate_end_s(const X509 *x509)
{
    struct tm end = {0};
    if (ASN1_TIME_to_tm(X509_get0_notAfter(x509), &end) != 1)
        return 0;
    return (int64_t)timegm(&end);
}
