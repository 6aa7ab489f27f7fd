/* screenctl pki revoke: lists a service's certificate as revoked, for the wire doors of the others */
#include "client.h"
#include "message.h"
#include "output.h"
#include "pki.h"
#include "revocation.h"

#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

/* What one run revokes. */
struct wanted {
    char *dir, *service, *file; /* file: NULL = the certificate that the folder has now */
    uint32_t days;
};

/* Reads the certificate, which must be one that the authority has made for the service. */
static enum status read_certificate(struct session *session, const struct wanted *wanted,
                                    const struct certificate *authority, X509 **out, struct error *error)
{
    char name[PKI_NAME_MAX + 1] = "";
    const char *path =
        wanted->file != NULL ? wanted->file : pki_path(session, wanted->dir, "%s/tls.pem", wanted->service);
    TRY(path == NULL ? client_no_memory(error) : STATUS_OK);
    TRY(certificate_read(&session->arena, path, out, error));
    (void)X509_NAME_get_text_by_NID(X509_get_subject_name(*out), NID_commonName, name, sizeof name);
    int verified = X509_verify(*out, X509_get0_pubkey(authority->x509));
    ERR_clear_error();
    if (verified == 1 && strcmp(name, wanted->service) == 0)
        return STATUS_OK;
    X509_free(*out);
    return error_set(error, STATUS_FAILED_PRECONDITION, NULL,
                     _("%s: is not a certificate of %s by %s/%s.pem"), path, wanted->service, wanted->dir,
                     PKI_CA_STEMS[PKI_SERVICES_CA]);
}

static enum status revoke(struct session *session, const struct wanted *wanted, size_t *count,
                          struct error *error)
{
    struct pki_authorities authorities;
    X509 *x509;
    TRY(pki_authorities_read(session, wanted->dir, &authorities, error));
    enum status status = read_certificate(session, wanted, &authorities.of[PKI_SERVICES_CA], &x509, error);
    if (status == STATUS_OK) {
        status = pki_revoked_write(session, wanted->dir, &authorities, x509, wanted->days, count, error);
        X509_free(x509);
    }
    pki_authorities_fini(&authorities);
    return status;
}

static int pki_revoke(struct session *session, const struct command *command, int argc, char **argv)
{
    struct wanted wanted = {.days = PKI_DAYS_DEFAULT};
    const struct argument arguments[] = {{"DIR", &wanted.dir, ARGUMENT_TEXT, true},
                                         {"SERVICE", &wanted.service, ARGUMENT_TEXT, true},
                                         {"--certificate", &wanted.file, ARGUMENT_TEXT, false},
                                         {"--days", &wanted.days, ARGUMENT_NUMBER, false}};
    int exit_code, lock;
    struct error error;
    size_t count;
    if (!command_read(session, command, arguments, COUNT_OF(arguments), argc, argv, &exit_code))
        return exit_code;
    if (!pki_is_service(wanted.service))
        return usage_error(command, "SERVICE %s: must be %s", wanted.service, PKI_SERVICE_LIST);
    if (wanted.days == 0 || wanted.days > PKI_DAYS_MAX)
        return usage_error(command, "--days %u: must be 1 to %d", wanted.days, PKI_DAYS_MAX);
    if (pki_lock(wanted.dir, &lock, &error) != STATUS_OK)
        return client_fail(&error);
    enum status status = revoke(session, &wanted, &count, &error);
    pki_unlock(lock);
    if (status != STATUS_OK)
        return client_fail(&error);
    if (session->json)
        return output_document(json_pack("{s:i, s:i}", "revoked", (int)count, "days", (int)wanted.days));
    printf(output_plural(count, N_("%s/%s lists %zu certificate"), N_("%s/%s lists %zu certificates")),
           wanted.dir, PKI_REVOKED, count);
    printf(_(", valid for %u days; copy it to WIRES_PKI of every wire door and restart the door\n"),
           wanted.days);
    return EXIT_DONE;
}

const struct command PKI_REVOKE = {"pki", "revoke", "DIR SERVICE [--certificate FILE] [--days N]",
                                   N_("lists the certificate of a service as revoked, for the wire doors"),
                                   pki_revoke};
