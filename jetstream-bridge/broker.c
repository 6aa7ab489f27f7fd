#include "broker.h"

#include <stdio.h>
#include <string.h>

#include "base/address_list.h"
#include "base/secret_file.h"
#include "service/private_address.h"

enum { CONNECT_MS = 2000, WRITE_MS = 5000, PING_MS = 5000, PINGS_OUT_MAX = 2, SECRET_MAX = 65536 };

static const char PLAIN[] = "nats://", TLS[] = "tls://", TCP[] = "tcp://";

static bool begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Checks one server, of which `url` is the whole list's text up to the next comma. */
static enum status check_server(const char *url, bool insecure, struct error *error)
{
    char address[ADDRESS_TEXT_SIZE];
    struct listed_address parsed;
    const bool is_plain = begins_with(url, PLAIN);
    if (strchr(url, '@') != NULL)
        return error_invalid(error, "nats-url: contains a secret, which others can read: use --nats-token or "
                                    "--nats-credentials");
    const bool is_known = is_plain || begins_with(url, TLS);
    (void)snprintf(address, sizeof address, "%s%s", TCP, is_known ? strchr(url, '/') + 2 : "");
    if (!is_known || listed_address_parse(address, ADDRESS_TCP, &parsed, NULL) != STATUS_OK)
        return error_invalid(error, "nats-url: %s: must be nats://HOST:PORT or tls://HOST:PORT", url);
    if (is_plain && !insecure && strcmp(parsed.host, "localhost") != 0 &&
        private_address_check(address, NULL) != STATUS_OK)
        return error_invalid(
            error, "nats-url: events would be sent in clear to %s: use tls://, unless --insecure is given",
            url);
    return STATUS_OK;
}

static enum status check_servers(const struct broker_options *options, struct error *error)
{
    const bool is_plain = begins_with(options->url, PLAIN);
    for (const char *at = options->url;;) {
        char server[ADDRESS_TEXT_SIZE];
        size_t length = strcspn(at, ",");
        if (length >= sizeof server)
            return error_invalid(error, "nats-url: must be nats://HOST:PORT or tls://HOST:PORT");
        (void)snprintf(server, sizeof server, "%.*s", (int)length, at);
        TRY(check_server(server, options->insecure, error));
        if (begins_with(server, PLAIN) != is_plain)
            return error_invalid(error, "nats-url: must be nats:// for all servers, or tls:// for all");
        if (at[length] == '\0')
            return STATUS_OK;
        at += length + 1;
    }
}

/* Reads a file only to check that it can be read. */
static enum status check_secret(const char *setting, const char *path, struct error *error)
{
    struct secret_file file = {0};
    if (path[0] == '\0')
        return STATUS_OK;
    TRY(secret_file_open(setting, path, SECRET_MAX, &file, error));
    secret_file_close(&file);
    return STATUS_OK;
}

enum status broker_check(const struct broker_options *options, struct error *error)
{
    const bool has_tls = begins_with(options->url, TLS);
    TRY(check_servers(options, error));
    if (options->token[0] != '\0' && options->credentials[0] != '\0')
        return error_invalid(error, "nats-token: cannot be given together with --nats-credentials");
    if ((options->certificate[0] == '\0') != (options->key[0] == '\0'))
        return error_invalid(error, "nats-certificate: must be given together with --nats-key");
    if (!has_tls && (options->ca[0] != '\0' || options->certificate[0] != '\0'))
        return error_invalid(error, "%s: needs tls:// in --nats-url",
                             options->ca[0] != '\0' ? "nats-ca" : "nats-certificate");
    TRY(check_secret("nats-token", options->token, error));
    TRY(check_secret("nats-credentials", options->credentials, error));
    return check_secret("nats-key", options->key, error);
}

enum status broker_failed(natsStatus status, const char *what, struct error *error)
{
    return error_set(error, STATUS_UNAVAILABLE, NULL, "%s: %s", what, natsStatus_GetText(status));
}

static enum status set_token(const struct broker_options *options, natsOptions *nats, struct error *error)
{
    struct secret_file file = {0};
    if (options->token[0] == '\0')
        return STATUS_OK;
    TRY(secret_file_open("nats-token", options->token, SECRET_MAX, &file, error));
    file.bytes[strcspn(file.bytes, "\r\n")] = '\0';
    natsStatus status = natsOptions_SetToken(nats, file.bytes);
    secret_file_close(&file);
    return status == NATS_OK ? STATUS_OK : broker_failed(status, "nats-token", error);
}

static natsStatus set_tls(const struct broker_options *options, natsOptions *nats)
{
    natsStatus status = natsOptions_SetSecure(nats, true);
    if (status == NATS_OK && options->ca[0] != '\0')
        status = natsOptions_LoadCATrustedCertificates(nats, options->ca);
    if (status == NATS_OK && options->certificate[0] != '\0')
        status = natsOptions_LoadCertificatesChain(nats, options->certificate, options->key);
    return status;
}

static enum status fill(const struct broker_options *options, natsOptions *nats, struct error *error)
{
    natsStatus status = natsOptions_SetURL(nats, options->url);
    if (status == NATS_OK)
        status = natsOptions_SetName(nats, "jetstream-bridge");
    if (status == NATS_OK)
        status = natsOptions_SetTimeout(nats, CONNECT_MS);
    if (status == NATS_OK) /* otherwise a write to a server that is frozen holds the connection's mutex */
        status = natsOptions_SetWriteDeadline(nats, WRITE_MS);
    if (status == NATS_OK)
        status = natsOptions_SetAllowReconnect(nats, false);
    if (status == NATS_OK)
        status = natsOptions_SetPingInterval(nats, PING_MS);
    if (status == NATS_OK)
        status = natsOptions_SetMaxPingsOut(nats, PINGS_OUT_MAX);
    if (status == NATS_OK && options->credentials[0] != '\0')
        status = natsOptions_SetUserCredentialsFromFiles(nats, options->credentials, NULL);
    if (status == NATS_OK && begins_with(options->url, TLS))
        status = set_tls(options, nats);
    if (status != NATS_OK)
        return broker_failed(status, "the settings of NATS", error);
    return set_token(options, nats, error);
}

enum status broker_connect(const struct broker_options *options, natsConnection **out, struct error *error)
{
    natsOptions *nats = NULL;
    if (natsOptions_Create(&nats) != NATS_OK)
        return error_no_memory(error);
    enum status status = fill(options, nats, error);
    natsStatus connected = status == STATUS_OK ? natsConnection_Connect(out, nats) : NATS_OK;
    natsOptions_Destroy(nats);
    return connected == NATS_OK ? status : broker_failed(connected, "connecting to NATS", error);
}
