/*
 * Makes and reads X.509 certificates with keys on the curve P-256. Any thread. Functions that fail return
 * INTERNAL with the reason of OpenSSL, or RESOURCE_EXHAUSTED when out of memory, unless they say otherwise.
 */
#ifndef SCREENING_CLI_CERTIFICATE_H
#define SCREENING_CLI_CERTIFICATE_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

enum certificate_use {
    CERTIFICATE_AUTHORITY, /* signs certificates and lists of revoked ones */
    CERTIFICATE_PEER,      /* a server that is also a client of other servers */
    CERTIFICATE_SERVER
};

struct certificate {
    X509 *x509;
    EVP_PKEY *key;
};

struct certificate_request {
    const char *name; /* the common name */
    enum certificate_use use;
    int64_t not_before_s, not_after_s; /* seconds since 1970-01-01 UTC */
    /*
     * The names and addresses of a server, as OpenSSL writes them: "DNS:localhost,IP:127.0.0.1". NULL takes
     * those of `like`.
     */
    const char *alternatives;
    const X509 *like;                 /* NULL, or an earlier certificate */
    const struct certificate *issuer; /* NULL = the certificate signs itself */
};

/* Makes a new key and a certificate for it. The caller frees it with certificate_fini. */
MUST_CHECK enum status certificate_make(const struct certificate_request *request, struct certificate *out,
                                        struct error *error);

/* Frees what `certificate` holds; all zero is allowed. */
void certificate_fini(struct certificate *certificate);

/*
 * Writes the certificate, the key, or the certificate and then the key (what is not NULL) as PEM, with a NUL,
 * into the arena.
 */
MUST_CHECK enum status certificate_to_pem(struct arena *arena, X509 *x509, EVP_PKEY *key, const char **out,
                                          struct error *error);

/*
 * Reads the first certificate of the file. Fails like file_read, and with FAILED_PRECONDITION "PATH: ..." if
 * it holds none. The caller frees it with X509_free.
 */
MUST_CHECK enum status certificate_read(struct arena *arena, const char *path, X509 **out,
                                        struct error *error);

/*
 * Reads a private key. Fails like secret_file_open, also with INVALID_ARGUMENT "SETTING: PATH: ..." if the
 * file holds none. The caller frees it with EVP_PKEY_free.
 */
MUST_CHECK enum status certificate_read_key(const char *setting, const char *path, EVP_PKEY **out,
                                            struct error *error);

/* Returns the instant after which the certificate is invalid, in seconds since 1970-01-01 UTC. */
int64_t certificate_end_s(const X509 *x509);

#endif
