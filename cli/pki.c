#include "pki.h"

#include "client.h"
#include "file.h"
#include "message.h"
#include "revocation.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"

enum { DAY_S = 24 * 60 * 60, CA_DAYS = PKI_DAYS_MAX + 1, EARLIER_S = 5 * 60, HOST_MAX = 253, LABEL_MAX = 63 };

const char *const PKI_SERVICES[PKI_SERVICE_COUNT] = {"hospital-svc", "booking-svc", "history-svc",
                                                     "gateway-svc"};

const char *const PKI_CA_STEMS[PKI_CA_COUNT] = {"services-ca", "clients-ca"};

static const char *const CA_NAMES[PKI_CA_COUNT] = {"screening services CA", "screening clients CA"};

#define FRONT "front"

#define OF_SERVICE(name)                                                                                     \
    {name, "tls", PKI_SERVICES_CA, CERTIFICATE_PEER, true},                                                  \
    {                                                                                                        \
        name, "client-tls", PKI_CLIENTS_CA, CERTIFICATE_SERVER, true                                         \
    }

const struct pki_leaf PKI_LEAVES[PKI_LEAF_COUNT] = {
    OF_SERVICE("hospital-svc"),
    OF_SERVICE("booking-svc"),
    OF_SERVICE("history-svc"),
    OF_SERVICE("gateway-svc"),
    {FRONT, "tls", PKI_CLIENTS_CA, CERTIFICATE_SERVER, false},
};

/* A service signs tokens for 5 minutes; the hour also covers a service that still has to read its new key. */
enum { SERVICE_HOLD_S = 60 * 60, ISSUER_HOLD_S = PKI_TOKEN_HOURS_MAX * 60 * 60 + EARLIER_S };

#define SIGNER_OF_SERVICE(name)                                                                              \
    {                                                                                                        \
        name, name "/token.key.json", name ".jwks.json", SERVICE_HOLD_S                                      \
    }

const struct pki_signer PKI_SIGNERS[PKI_SIGNER_COUNT] = {
    {PKI_ISSUER, PKI_ISSUER ".key.json", PKI_ISSUER ".jwks.json", ISSUER_HOLD_S},
    SIGNER_OF_SERVICE("hospital-svc"),
    SIGNER_OF_SERVICE("booking-svc"),
    SIGNER_OF_SERVICE("history-svc"),
    SIGNER_OF_SERVICE("gateway-svc"),
    SIGNER_OF_SERVICE(PKI_BRIDGE),
};

enum status pki_lock(const char *dir, int *lock, struct error *error)
{
    int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int locked = folder < 0 ? -1 : flock(folder, LOCK_EX);
    if (locked != 0) {
        error_set(error, STATUS_FAILED_PRECONDITION, NULL, "%s: %s", dir, strerror(errno));
        if (folder >= 0)
            close(folder);
        return STATUS_FAILED_PRECONDITION;
    }
    *lock = folder;
    return STATUS_OK;
}

void pki_unlock(int lock)
{
    close(lock); /* which releases the lock */
}

char *pki_path(struct session *session, const char *dir, const char *format, ...)
{
    char name[2 * PKI_NAME_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    return arena_printf(&session->arena, "%s/%s", dir, name);
}

/* ---- names ---- */

static bool is_address(const char *host)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

bool pki_name_is_valid(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
    if (is_address(name))
        return true;
    if (strlen(name) > HOST_MAX)
        return false;
    for (const char *label = name;; label++) {
        size_t length = strspn(label, letters);
        if (length == 0 || length > LABEL_MAX || label[0] == '-' || label[length - 1] == '-')
            return false;
        label += length;
        if (label[0] != '.')
            return label[0] == '\0';
    }
}

bool pki_is_service(const char *name)
{
    for (size_t i = 0; i < PKI_SERVICE_COUNT; i++)
        if (strcmp(name, PKI_SERVICES[i]) == 0)
            return true;
    return false;
}

bool pki_name_is_taken(const char *name)
{
    for (size_t i = 0; i < PKI_LEAF_COUNT; i++)
        if (strcasecmp(name, PKI_LEAVES[i].owner) == 0)
            return true;
    return false;
}

const char *pki_host_split(const char *host, const char **owner)
{
    const char *equals = strchr(host, '=');
    *owner = FRONT;
    if (equals == NULL)
        return host;
    for (size_t i = 0; i < PKI_LEAF_COUNT; i++) {
        *owner = PKI_LEAVES[i].owner;
        if (strlen(*owner) == (size_t)(equals - host) && strncmp(host, *owner, (size_t)(equals - host)) == 0)
            return equals + 1;
    }
    return NULL;
}

/* Returns the names of an owner's certificate in OpenSSL's words, or NULL when out of memory. */
static const char *alternatives_of(struct session *session, const char *owner, const struct text_list *hosts)
{
    char *text = arena_printf(&session->arena, "DNS:%s,DNS:localhost,IP:127.0.0.1,IP:::1", owner);
    for (size_t i = 0; i < hosts->count && text != NULL; i++) {
        const char *of, *name = pki_host_split(hosts->texts[i], &of);
        if (name != NULL && strcmp(of, owner) == 0)
            text = arena_printf(&session->arena, "%s,%s:%s", text, is_address(name) ? "IP" : "DNS", name);
    }
    return text;
}

/* ---- authorities ---- */

static enum status write_pem(struct session *session, const char *path, X509 *x509, EVP_PKEY *key,
                             struct error *error)
{
    const char *pem;
    TRY(path == NULL ? client_no_memory(error) : STATUS_OK);
    TRY(certificate_to_pem(&session->arena, x509, key, &pem, error));
    return file_replace(path, pem, strlen(pem), key != NULL ? FILE_MODE_SECRET : FILE_MODE_PUBLIC, error);
}

static enum status make_authority(struct session *session, const char *dir, enum pki_ca ca,
                                  struct certificate *out, struct error *error)
{
    int64_t now_s = clock_now_us() / US_PER_S;
    const struct certificate_request request = {.name = CA_NAMES[ca],
                                                .use = CERTIFICATE_AUTHORITY,
                                                .not_before_s = now_s - EARLIER_S,
                                                .not_after_s = now_s + (int64_t)CA_DAYS * DAY_S};
    TRY(certificate_make(&request, out, error));
    TRY(write_pem(session, pki_path(session, dir, "%s.pem", PKI_CA_STEMS[ca]), out->x509, NULL, error));
    return write_pem(session, pki_path(session, dir, "%s.key", PKI_CA_STEMS[ca]), NULL, out->key, error);
}

static enum status read_authority(struct session *session, const char *dir, enum pki_ca ca,
                                  struct certificate *out, struct error *error)
{
    char *pem = pki_path(session, dir, "%s.pem", PKI_CA_STEMS[ca]);
    char *key = pki_path(session, dir, "%s.key", PKI_CA_STEMS[ca]);
    TRY(pem == NULL || key == NULL ? client_no_memory(error) : STATUS_OK);
    TRY(certificate_read(&session->arena, pem, &out->x509, error));
    TRY(certificate_read_key("DIR", key, &out->key, error));
    if (X509_check_private_key(out->x509, out->key) != 1)
        return error_set(error, STATUS_FAILED_PRECONDITION, NULL, _("%s: is not the key of %s"), key, pem);
    return STATUS_OK;
}

typedef enum status authority_fn(struct session *, const char *, enum pki_ca, struct certificate *,
                                 struct error *);

static enum status for_both(struct session *session, const char *dir, authority_fn *get,
                            struct pki_authorities *out, struct error *error)
{
    struct pki_authorities authorities = {0};
    for (int ca = 0; ca < PKI_CA_COUNT; ca++) {
        enum status status = get(session, dir, (enum pki_ca)ca, &authorities.of[ca], error);
        if (status != STATUS_OK) {
            pki_authorities_fini(&authorities);
            return status;
        }
    }
    *out = authorities;
    return STATUS_OK;
}

enum status pki_authorities_make(struct session *session, const char *dir, struct pki_authorities *out,
                                 struct error *error)
{
    return for_both(session, dir, make_authority, out, error);
}

enum status pki_authorities_read(struct session *session, const char *dir, struct pki_authorities *out,
                                 struct error *error)
{
    return for_both(session, dir, read_authority, out, error);
}

void pki_authorities_fini(struct pki_authorities *authorities)
{
    for (int ca = 0; ca < PKI_CA_COUNT; ca++)
        certificate_fini(&authorities->of[ca]);
}

/* ---- certificates ---- */

static enum status write_leaf(struct session *session, const char *dir, const struct pki_leaf *leaf,
                              const struct certificate_request *request, struct error *error)
{
    struct certificate made;
    TRY(certificate_make(request, &made, error));
    enum status status = write_pem(session, pki_path(session, dir, "%s/%s.pem", leaf->owner, leaf->stem),
                                   made.x509, made.key, error);
    if (status == STATUS_OK && leaf->key_file)
        status = write_pem(session, pki_path(session, dir, "%s/%s.key", leaf->owner, leaf->stem), NULL,
                           made.key, error);
    certificate_fini(&made);
    return status;
}

enum status pki_leaf_write(struct session *session, const char *dir, const struct pki_leaf *leaf,
                           const struct pki_authorities *authorities, const struct text_list *hosts,
                           uint32_t days, struct error *error)
{
    int64_t now_s = clock_now_us() / US_PER_S, end_s = now_s + (int64_t)days * DAY_S;
    const struct certificate *issuer = &authorities->of[leaf->ca];
    if (end_s > certificate_end_s(issuer->x509)) {
        int64_t left = (certificate_end_s(issuer->x509) - now_s) / DAY_S;
        return error_set(error, STATUS_FAILED_PRECONDITION, NULL,
                         _("--days %u: %s/%s.pem is valid for only %lld more days"), days, dir,
                         PKI_CA_STEMS[leaf->ca], (long long)left);
    }
    struct certificate_request request = {.name = leaf->owner,
                                          .use = leaf->use,
                                          .not_before_s = now_s - EARLIER_S,
                                          .not_after_s = end_s,
                                          .issuer = issuer};
    X509 *old = NULL;
    if (hosts != NULL) {
        request.alternatives = alternatives_of(session, leaf->owner, hosts);
        TRY(request.alternatives == NULL ? client_no_memory(error) : STATUS_OK);
    } else {
        char *path = pki_path(session, dir, "%s/%s.pem", leaf->owner, leaf->stem);
        TRY(path == NULL ? client_no_memory(error) : STATUS_OK);
        TRY(certificate_read(&session->arena, path, &old, error));
        request.like = old;
    }
    enum status status = write_leaf(session, dir, leaf, &request, error);
    X509_free(old);
    return status;
}

/* ---- revoked certificates ---- */

enum status pki_revoked_write(struct session *session, const char *dir,
                              const struct pki_authorities *authorities, const X509 *revoked, uint32_t days,
                              size_t *count, struct error *error)
{
    char *path = pki_path(session, dir, PKI_REVOKED);
    int64_t end_s = clock_now_us() / US_PER_S + (int64_t)days * DAY_S;
    TRY(path == NULL ? client_no_memory(error) : STATUS_OK);
    return revocation_write(&session->arena, path, &authorities->of[PKI_SERVICES_CA], revoked, end_s, count,
                            error);
}
