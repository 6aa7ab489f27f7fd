#include "db/url_safety.h"

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret_file.h"
#include "db/driver.h"

enum { LOOPBACK_NET = 127, NET_SHIFT = 24, HOST_SIZE = 256, PASSFILE_MAX_BYTES = 65536 };

/* ---- the parts of a URL ---- */

/* Returns the options of a PostgreSQL URL, which the caller frees, or NULL for a SQLite URL. */
static PQconninfoOption *parse(const char *url)
{
    return db_url_sqlite_path(url) == NULL ? PQconninfoParse(url, NULL) : NULL;
}

/* Returns the option's value in the URL, or NULL if it has none. */
static const char *value_of(const PQconninfoOption *options, const char *keyword)
{
    for (; options != NULL && options->keyword != NULL; options++)
        if (strcmp(options->keyword, keyword) == 0)
            return options->val != NULL && options->val[0] != '\0' ? options->val : NULL;
    return NULL;
}

/* Like value_of, but a value that the URL does not have comes from the environment, as for libpq. */
static const char *value_in_effect(const PQconninfoOption *options, const char *keyword, const char *variable)
{
    const char *value = value_of(options, keyword);
    if (value != NULL)
        return value;
    value = getenv(variable);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

bool db_url_has_password(const char *url)
{
    PQconninfoOption *options = parse(url);
    bool has = value_of(options, "password") != NULL || value_of(options, "sslpassword") != NULL;
    PQconninfoFree(options);
    return has;
}

/* ---- transport ---- */

static bool is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> NET_SHIFT == LOOPBACK_NET;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* An empty name, a path and a name with @ stand for Unix sockets. */
static bool is_local(const char *host)
{
    return host[0] == '\0' || host[0] == '/' || host[0] == '@' || strcmp(host, "localhost") == 0 ||
           is_loopback(host);
}

/*
 * Copies the first name of the comma-separated list that is not local. Returns false if there is none. A name
 * that is too long is cut, and is not local.
 */
static bool find_remote(const char *list, char out[HOST_SIZE])
{
    for (;;) {
        size_t length = strcspn(list, ",");
        size_t kept = length < HOST_SIZE ? length : HOST_SIZE - 1;
        memcpy(out, list, kept);
        out[kept] = '\0';
        if (!is_local(out))
            return true;
        if (list[length] == '\0')
            return false;
        list += length + 1;
    }
}

/* Returns the names or addresses that libpq connects to. hostaddr replaces host. */
static const char *hosts_of(const PQconninfoOption *options)
{
    const char *hosts = value_in_effect(options, "hostaddr", "PGHOSTADDR");
    if (hosts == NULL)
        hosts = value_in_effect(options, "host", "PGHOST");
    if (hosts == NULL)
        hosts = value_in_effect(options, "service", "PGSERVICE");
    return hosts != NULL ? hosts : "";
}

enum status db_url_check_transport(const char *url, struct error *error)
{
    char host[HOST_SIZE];
    PQconninfoOption *options = parse(url);
    const char *sslmode = value_in_effect(options, "sslmode", "PGSSLMODE");
    bool verified = sslmode != NULL && strcmp(sslmode, "verify-full") == 0;
    bool open = options != NULL && !verified && find_remote(hosts_of(options), host);
    PQconninfoFree(options);
    if (!open)
        return STATUS_OK;
    return error_invalid(error, "database: %s is not this machine: the URL needs sslmode=verify-full", host);
}

bool db_url_has_several_hosts(const char *url)
{
    PQconninfoOption *options = parse(url);
    bool several = options != NULL && strchr(hosts_of(options), ',') != NULL;
    PQconninfoFree(options);
    return several;
}

/* ---- the file of passwords ---- */

enum status db_url_check_passfile(const char *url, struct error *error)
{
    PQconninfoOption *options = parse(url);
    const char *path = value_of(options, "passfile");
    enum status status = STATUS_OK;
    if (path != NULL) {
        struct secret_file file = {0};
        status = secret_file_open("database: passfile", path, PASSFILE_MAX_BYTES, &file, error);
        secret_file_close(&file);
    }
    PQconninfoFree(options);
    return status;
}
