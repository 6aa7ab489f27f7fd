#include "service/security.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/auth.h"
#include "auth/buckets.h"
#include "auth/signer.h"
#include "base/address_list.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/repeat.h"
#include "db/url_safety.h"
#include "screening/v1/descriptors.h"
#include "service/private_address.h"
#include "service/unix_listen.h"

struct security {
    const struct security_settings *settings;
    struct auth *auth;            /* NULL = every caller is trusted */
    struct auth_signer *signer;   /* NULL = the program shows no token */
    struct auth_buckets *buckets; /* NULL in a program that serves no RPC */
    struct repeat warning;
};

static struct metric insecure_now =
    METRIC("security_insecure", "1 if the program was started with --insecure, otherwise 0");

static enum status open_files(struct security *security, const char *program, struct error *error)
{
    const struct security_settings *settings = security->settings;
    const struct auth_rate rates[AUTH_CALL_KINDS] = {
        [AUTH_CHANGE] = {(uint32_t)settings->changes_per_s, (uint32_t)settings->changes_burst},
        [AUTH_READ] = {(uint32_t)settings->reads_per_s, (uint32_t)settings->reads_burst},
    };
    const struct auth_options options = {.issuers_path = settings->issuers, .program = program};
    if (settings->issuers != NULL && settings->issuers[0] == '\0' && !settings->insecure)
        return error_invalid(error, "issuers: must be given, or --insecure, which trusts every caller");
    if (settings->issuers != NULL && settings->issuers[0] != '\0')
        TRY(auth_open(&options, &security->auth, error));
    if (settings->token_key[0] != '\0')
        TRY(auth_signer_open(settings->token_key, program, &security->signer, error));
    return settings->changes_per_s > 0 ? auth_buckets_open(rates, &security->buckets, error) : STATUS_OK;
}

enum status security_open(const struct security_settings *settings, const char *program,
                          struct security **out, struct error *error)
{
    struct security *security = calloc(1, sizeof *security);
    if (security == NULL)
        return error_no_memory(error);
    security->settings = settings;
    enum status status = open_files(security, program, error);
    if (status != STATUS_OK) {
        security_close(security);
        return status;
    }
    metric_register(&insecure_now);
    metric_set(&insecure_now, settings->insecure);
    *out = security;
    return STATUS_OK;
}

enum status security_check_listener(const struct security *security, const char *setting, const char *address,
                                    struct error *error)
{
    struct error rule;
    if (address[0] == '\0' || security->settings->insecure ||
        private_address_check(address, &rule) == STATUS_OK)
        return STATUS_OK;
    return error_invalid(error, "%s: %s, unless --insecure is given", setting, rule.message);
}

enum status security_check_events(const struct security *security, const char *setting, const char *address,
                                  struct error *error)
{
    static const char ipc[] = "ipc://";
    if (!security->settings->insecure && strncmp(address, ipc, strlen(ipc)) != 0)
        return error_invalid(error, "%s: must be ipc:// in a folder of mode 0700, unless --insecure is given",
                             setting);
    return security_check_listener(security, setting, address, error);
}

enum status security_check_port(const struct security *security, const char *setting, const char *host_port,
                                struct error *error)
{
    enum { ADDRESS_SIZE = 300 };
    char address[ADDRESS_SIZE] = "";
    if (host_port[0] != '\0' && unix_listen_path(host_port) == NULL)
        (void)snprintf(address, sizeof address, "tcp://%s", host_port);
    return security_check_listener(security, setting, address, error);
}

enum status security_check_callee(const struct security *security, const char *setting, const char *addresses,
                                  struct error *error)
{
    struct address_list list;
    struct error rule;
    if (security->settings->insecure)
        return STATUS_OK;
    if (address_list_parse(addresses, ADDRESS_TCP | ADDRESS_IPC | ADDRESS_TLS, &list, &rule) != STATUS_OK)
        return error_invalid(error, "%s: %s", setting, rule.message);
    for (size_t i = 0; i < list.count; i++) {
        const struct listed_address *address = &list.items[i];
        if (address->scheme == ADDRESS_TCP && strcmp(address->host, "localhost") != 0 &&
            private_address_check(address->text, &rule) != STATUS_OK)
            return error_invalid(
                error,
                "%s: tokens would be sent in clear to %s: use ipc:// and a wire door, unless "
                "--insecure is given",
                setting, address->text);
    }
    return STATUS_OK;
}

enum status security_check_followed(const struct security *security, const char *setting,
                                    const char *addresses, struct error *error)
{
    struct address_list list;
    struct error rule;
    if (security->settings->insecure)
        return STATUS_OK;
    if (address_list_parse(addresses, ADDRESS_TCP | ADDRESS_IPC, &list, &rule) != STATUS_OK)
        return error_invalid(error, "%s: %s", setting, rule.message);
    for (size_t i = 0; i < list.count; i++)
        if (list.items[i].scheme != ADDRESS_IPC)
            return error_invalid(
                error, "%s: anybody could send events at %s: use ipc://, unless --insecure is given", setting,
                list.items[i].text);
    return STATUS_OK;
}

void security_close(struct security *security)
{
    if (security == NULL)
        return;
    auth_buckets_close(security->buckets);
    auth_signer_close(security->signer);
    auth_close(security->auth);
    free(security);
}

enum status security_check_database(const struct security_settings *settings, const char *url,
                                    struct error *error)
{
    struct error rule;
    if (settings->insecure)
        return STATUS_OK;
    if (db_url_has_password(url))
        return error_invalid(error, "database: the URL contains a password, which others can read: use "
                                    "passfile=PATH, unless --insecure is given");
    if (db_url_takes_password_from_environment(url))
        return error_invalid(error, "database: PGPASSWORD contains a password: use passfile=PATH in the URL, "
                                    "unless --insecure is given");
    if (db_url_check_transport(url, &rule) != STATUS_OK || db_url_check_well_known(url, &rule) != STATUS_OK)
        return error_invalid(error, "%s, unless --insecure is given", rule.message);
    return STATUS_OK;
}

/* Reads the issuers and the own key again. */
static enum status reload_all(const struct security *security, struct error *error)
{
    struct error other;
    enum status issuers = STATUS_OK, key = STATUS_OK;
    if (security->auth != NULL)
        issuers = auth_reload(security->auth, error);
    if (security->signer != NULL)
        key = auth_signer_reload(security->signer, issuers == STATUS_OK ? error : &other);
    return issuers != STATUS_OK ? issuers : key;
}

static void look_for_changes(const struct security *security)
{
    if (security->auth != NULL)
        auth_look_after(security->auth);
    if (security->signer != NULL)
        auth_signer_look_after(security->signer);
}

void security_look_after(struct security *security, bool reload)
{
    struct error error;
    if (security->settings->insecure && repeat_is_due(&security->warning, clock_monotonic_ns()))
        log_plain(LOG_WARN, "security.insecure");
    if (security->auth == NULL && security->signer == NULL)
        return;
    if (!reload)
        look_for_changes(security);
    else if (reload_all(security, &error) == STATUS_OK)
        log_plain(LOG_INFO, "security.reloaded");
    else
        log_event(LOG_ERROR, "security.reload_failed", LOG_TEXT("error", error.message));
}

size_t security_degrades(struct security *security,
                         char reasons[SECURITY_DEGRADED_MAX][RPC_DEGRADED_TEXT_SIZE])
{
    size_t count = 0;
    if (security->auth != NULL && auth_is_stale(security->auth))
        (void)snprintf(reasons[count++], RPC_DEGRADED_TEXT_SIZE,
                       "issuers: a file could not be read again, and its earlier contents count");
    if (security->signer != NULL && auth_signer_is_stale(security->signer))
        (void)snprintf(reasons[count++], RPC_DEGRADED_TEXT_SIZE,
                       "token-key: the file could not be read again, and the earlier key is in use");
    return count;
}

static enum status identify(void *context, const char *authorization, struct auth_source source,
                            struct arena *arena, const struct auth_caller **out, struct error *error)
{
    const struct security *security = context;
    return auth_check(security->auth, authorization, source, arena, out, error);
}

static bool allow(void *context, const struct auth_caller *caller, bool reads, uint32_t *retry_after_ms)
{
    const struct security *security = context;
    return auth_buckets_take(security->buckets, caller->issuer, caller->subject,
                             reads ? AUTH_READ : AUTH_CHANGE, clock_monotonic_ns(), retry_after_ms);
}

struct rpc_access security_access(struct security *security)
{
    return (struct rpc_access){
        .descriptors = screening_descriptor_set,
        .descriptors_size = screening_descriptor_set_size,
        .identify = security->auth != NULL ? identify : NULL,
        .allow = security->buckets != NULL ? allow : NULL,
        .context = security,
        .public_catalogue = security->settings->public_catalogue,
    };
}

enum status security_identify(struct security *security, const char *authorization, struct auth_source source,
                              struct arena *arena, const struct auth_caller **out, struct error *error)
{
    *out = &AUTH_TRUSTED;
    if (security->auth == NULL)
        return STATUS_OK;
    return auth_check(security->auth, authorization, source, arena, out, error);
}

bool security_still_counts(struct security *security, const struct auth_caller *caller)
{
    return security->auth == NULL || auth_still_counts(security->auth, caller);
}

static enum status authorize(void *context, struct arena *arena, const char **out, struct error *error)
{
    const struct security_peer *peer = context;
    return auth_signer_token(peer->security->signer, peer->audience, arena, out, error);
}

void security_introduce(const struct security_peer *peer, struct rpc_channel_options *channel)
{
    if (peer->security == NULL || peer->security->signer == NULL)
        return;
    channel->authorize = authorize;
    channel->authorize_context = (void *)(uintptr_t)peer; /* only read */
}
