/*
 * screenctl pki renew: replaces the certificates of services and of the front door, with their keys, and
 * signs the list of revoked certificates again
 */
#include "client.h"
#include "message.h"
#include "output.h"
#include "pki.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Signs the list of revoked certificates again, if there is one. */
static enum status renew_revoked(struct session *session, const char *dir,
                                 const struct pki_authorities *authorities, uint32_t days,
                                 struct error *error)
{
    char *path = pki_path(session, dir, PKI_REVOKED);
    size_t count;
    TRY(path == NULL ? client_no_memory(error) : STATUS_OK);
    if (access(path, F_OK) != 0)
        return STATUS_OK;
    return pki_revoked_write(session, dir, authorities, NULL, days, &count, error);
}

/* Renews the certificates of `only`, or all if it is NULL. Sets *count to the number of those renewed. */
static enum status renew(struct session *session, const char *dir, const char *only, uint32_t days,
                         size_t *count, struct error *error)
{
    struct pki_authorities authorities;
    TRY(pki_authorities_read(session, dir, &authorities, error));
    enum status status = STATUS_OK;
    *count = 0;
    for (size_t i = 0; i < PKI_LEAF_COUNT && status == STATUS_OK; i++) {
        if (only == NULL || strcmp(only, PKI_LEAVES[i].owner) == 0) {
            status = pki_leaf_write(session, dir, &PKI_LEAVES[i], &authorities, NULL, days, error);
            *count += 1;
        }
    }
    if (status == STATUS_OK)
        status = renew_revoked(session, dir, &authorities, days, error);
    pki_authorities_fini(&authorities);
    return status;
}

static int pki_renew(struct session *session, const struct command *command, int argc, char **argv)
{
    char *dir = NULL, *only = NULL;
    uint32_t days = PKI_DAYS_DEFAULT;
    const struct argument arguments[] = {{"DIR", &dir, ARGUMENT_TEXT, true},
                                         {"--service", &only, ARGUMENT_TEXT, false},
                                         {"--days", &days, ARGUMENT_NUMBER, false}};
    int exit_code, lock;
    struct error error;
    size_t count;
    if (!command_read(session, command, arguments, COUNT_OF(arguments), argc, argv, &exit_code))
        return exit_code;
    if (only != NULL && !pki_is_service(only) && strcmp(only, "front") != 0)
        return usage_error(command, "--service %s: must be %s or front", only, PKI_SERVICE_LIST);
    if (days == 0 || days > PKI_DAYS_MAX)
        return usage_error(command, "--days %u: must be 1 to %d", days, PKI_DAYS_MAX);
    if (pki_lock(dir, &lock, &error) != STATUS_OK)
        return client_fail(&error);
    enum status status = renew(session, dir, only, days, &count, &error);
    pki_unlock(lock);
    if (status != STATUS_OK)
        return client_fail(&error);
    if (session->json)
        return output_document(json_pack("{s:i, s:i}", "certificates", (int)count, "days", (int)days));
    printf(output_plural(count, N_("renewed %zu certificate"), N_("renewed %zu certificates")), count);
    printf(_(", valid for %u days\n"), days);
    return EXIT_DONE;
}

const struct command PKI_RENEW = {"pki", "renew", "DIR [--service NAME] [--days N]",
                                  N_("replaces certificates and their keys"), pki_renew};
