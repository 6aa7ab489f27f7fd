/*
 * The keys and certificates of an installation, in one folder: its layout and the making of its parts.
 *
 *     issuers.json               who signs tokens, for the services
 *     screening.key.json         signs the tokens of people; screening.jwks.json holds its public keys
 *     services-ca.pem, .key      the authority for calls between services
 *     services-ca.crl            its revoked certificates, once there are any
 *     clients-ca.pem, .key       the authority for what clients connect to
 *     SERVICE.jwks.json          the public keys of a service
 *     SERVICE/token.key.json     signs the tokens of the service
 *     SERVICE/tls.pem, .key      its certificate of the services' authority
 *     SERVICE/client-tls.pem, .key  its certificate of the clients' authority
 *     jetstream-bridge/token.key.json  signs the tokens of jetstream-bridge, which serves nobody
 *     front/tls.pem              the front door's certificate of the clients' authority
 *
 * A .pem of a service or of the front door holds the certificate and its key, so that a reader always sees a
 * pair; the .key holds the key once more. One thread only.
 */
#ifndef SCREENING_CLI_PKI_H
#define SCREENING_CLI_PKI_H

#include "certificate.h"
#include "command.h"
#include "session.h"

#include "base/status.h"

enum {
    PKI_SERVICE_COUNT = 4,
    PKI_LEAF_COUNT = 2 * PKI_SERVICE_COUNT + 1,
    PKI_SIGNER_FIRST_PROGRAM = 1,
    PKI_SIGNER_COUNT = PKI_SIGNER_FIRST_PROGRAM + PKI_SERVICE_COUNT + 1
};
enum { PKI_DAYS_DEFAULT = 365, PKI_DAYS_MAX = 3650, PKI_NAME_MAX = 64 };

/* The longest life of a token of people; a replaced key stays known this long. */
enum { PKI_TOKEN_HOURS_MAX = 30 * 24 };

/* The issuer and audience of the tokens of people. */
#define PKI_ISSUER "screening"

extern const char *const PKI_SERVICES[PKI_SERVICE_COUNT];

bool pki_is_service(const char *name);

/* The services as a message lists them. */
#define PKI_SERVICE_LIST "hospital-svc, booking-svc, history-svc, gateway-svc"

/* It follows the logs with tokens of its own, but serves nobody, so it has a signing key and no certificate.
 */
#define PKI_BRIDGE "jetstream-bridge"

enum pki_ca { PKI_SERVICES_CA, PKI_CLIENTS_CA, PKI_CA_COUNT };

/* The path of each authority's files, without .pem and .key. */
extern const char *const PKI_CA_STEMS[PKI_CA_COUNT];

/* A certificate that an authority signs. */
struct pki_leaf {
    const char *owner; /* a service, or the front door: its folder and common name */
    const char *stem;  /* the name of its files without .pem and .key */
    enum pki_ca ca;
    enum certificate_use use;
    bool key_file; /* whether the key also has a file of its own */
};

extern const struct pki_leaf PKI_LEAVES[PKI_LEAF_COUNT];

/* Both authorities, with their keys. */
struct pki_authorities {
    struct certificate of[PKI_CA_COUNT];
};

/* Makes both authorities and their files in the folder `dir`. Free with pki_authorities_fini if it succeeds.
 */
MUST_CHECK enum status pki_authorities_make(struct session *session, const char *dir,
                                            struct pki_authorities *out, struct error *error);

/* Reads both authorities from the folder. Free with pki_authorities_fini if it succeeds. */
MUST_CHECK enum status pki_authorities_read(struct session *session, const char *dir,
                                            struct pki_authorities *out, struct error *error);

void pki_authorities_fini(struct pki_authorities *authorities);

/*
 * Makes a certificate, valid for `days`, and writes or replaces its files. `hosts` are the values of --host,
 * NAME or OWNER=NAME, of which the certificate gets those of its owner. With NULL it takes over the names of
 * the certificate that it replaces. Returns FAILED_PRECONDITION if the authority ends before the certificate
 * would.
 */
MUST_CHECK enum status pki_leaf_write(struct session *session, const char *dir, const struct pki_leaf *leaf,
                                      const struct pki_authorities *authorities,
                                      const struct text_list *hosts, uint32_t days, struct error *error);

/* The file with the revoked certificates of the services' authority. */
#define PKI_REVOKED "services-ca.crl"

/*
 * Writes the list of revoked certificates, valid for `days`, with its earlier entries and with `revoked`
 * unless it is NULL. Sets *count to the number of entries. Fails like revocation_write.
 */
MUST_CHECK enum status pki_revoked_write(struct session *session, const char *dir,
                                         const struct pki_authorities *authorities, const X509 *revoked,
                                         uint32_t days, size_t *count, struct error *error);

/*
 * Waits until no other screenctl changes the folder, and keeps others waiting until pki_unlock or the end of
 * the process. Returns FAILED_PRECONDITION if there is no such folder.
 */
MUST_CHECK enum status pki_lock(const char *dir, int *lock, struct error *error);
void pki_unlock(int lock);

/* Returns a path in the folder, in the session's arena, or NULL when out of memory. */
char *pki_path(struct session *session, const char *dir, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A key that signs tokens, of the issuer or of a program. */
struct pki_signer {
    const char *name;
    const char *key_name, *set_name; /* its files in the folder: the private key, and its public keys */
    uint32_t hold_s; /* how long after its replacement a key is still needed by tokens that it has signed */
};

/* The issuer, and then the programs, the services first. */
extern const struct pki_signer PKI_SIGNERS[PKI_SIGNER_COUNT];

/*
 * Splits a value of --host, OWNER=NAME, or NAME for the front door. Sets *owner to a static text. Returns
 * NULL if there is no such owner, otherwise NAME.
 */
const char *pki_host_split(const char *host, const char **owner);

/* Returns whether `name` is a DNS name or an IP address, in the letters that a certificate may hold. */
bool pki_name_is_valid(const char *name);

/* Returns whether `name` is the name of a service or of the front door, which only its own certificate has.
 */
bool pki_name_is_taken(const char *name);

#endif
