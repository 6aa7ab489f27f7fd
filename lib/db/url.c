/*
 * Checks and redacts database URLs. No output may contain a password, even if libpq cannot parse the URL and
 * quotes it in its messages.
 */
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "db/db.h"
#include "db/driver.h"

enum { URL_SIZE_MAX = 2048 };

static bool has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

const char *db_url_sqlite_path(const char *url)
{
    return has_prefix(url, "sqlite:") ? url + strlen("sqlite:") : NULL;
}

/* Returns the part after "postgresql://" or "postgres://", or NULL for any other URL. */
static const char *after_scheme(const char *url)
{
    if (has_prefix(url, "postgresql://"))
        return url + strlen("postgresql://");
    if (has_prefix(url, "postgres://"))
        return url + strlen("postgres://");
    return NULL;
}

/*
 * Returns whether libpq would mistake a part of the password for a host or a database, and so show it in its
 * messages.
 */
static bool has_stray_at_sign(const char *authority)
{
    const char *rest = authority + strcspn(authority, "@/");
    rest = *rest == '@' ? rest + 1 : authority;
    return memchr(rest, '@', strcspn(rest, "?")) != NULL;
}

static bool is_port_list(const char *text)
{
    return strspn(text, "0123456789,") == strlen(text);
}

static const char *option_value(const PQconninfoOption *options, const char *keyword)
{
    for (; options->keyword != NULL; options++)
        if (strcmp(options->keyword, keyword) == 0)
            return options->val;
    return NULL;
}

static enum status malformed(const char *why, struct error *error)
{
    return error_invalid(error, "database: malformed URL: %s", why);
}

/* Parses the URL again without the password, so that libpq's message can be shown. */
static enum status report_parse_failure(const char *url, struct error *error)
{
    char redacted[URL_SIZE_MAX];
    char *message = NULL;
    PQconninfoOption *options = PQconninfoParse(db_url_redact(url, redacted, sizeof redacted), &message);
    enum status status = STATUS_INVALID_ARGUMENT;

    if (message != NULL)
        message[strcspn(message, "\n")] = '\0';
    status = malformed(message == NULL ? "user name and password must be percent-encoded" : message, error);
    PQconninfoFree(options);
    PQfreemem(message);
    return status;
}

static enum status check_postgresql(const char *url, struct error *error)
{
    char *message = NULL;
    enum status status = STATUS_OK;

    if (has_stray_at_sign(after_scheme(url)))
        return malformed("user name and password must be percent-encoded", error);
    PQconninfoOption *options = PQconninfoParse(url, &message);
    PQfreemem(message);
    if (options == NULL)
        return report_parse_failure(url, error);
    const char *port = option_value(options, "port");
    if (port != NULL && !is_port_list(port))
        status = malformed("the port must be a number", error);
    PQconninfoFree(options);
    return status;
}

enum status db_url_check(const char *url, struct error *error)
{
    const char *path = db_url_sqlite_path(url);
    if (strlen(url) >= URL_SIZE_MAX)
        return malformed("too long", error);
    if (path != NULL)
        return *path == '\0' ? malformed("sqlite: needs a path", error) : STATUS_OK;
    if (after_scheme(url) != NULL)
        return check_postgresql(url, error);
    return malformed("must be sqlite:PATH or postgresql://...", error);
}

/* ---- redaction ---- */

struct output {
    char *text;
    size_t size;
    size_t length;
};

static void put(struct output *out, const char *text, size_t length)
{
    size_t room = out->size - 1 - out->length;
    if (length > room)
        length = room;
    memcpy(out->text + out->length, text, length);
    out->length += length;
    out->text[out->length] = '\0';
}

/* Copies a query string. Replaces the values of names that end in "password", such as sslpassword. */
static void put_query(struct output *out, const char *query)
{
    while (*query != '\0') {
        size_t length = strcspn(query, "&");
        size_t name = strcspn(query, "=&");
        if (name >= strlen("password") && name < length &&
            strncmp(query + name - strlen("password"), "password", strlen("password")) == 0) {
            put(out, query, name);
            put(out, "=***", strlen("=***"));
        } else {
            put(out, query, length);
        }
        query += length;
        if (*query == '&')
            put(out, query++, 1);
    }
}

char *db_url_redact(const char *url, char *out, size_t out_size)
{
    struct output output = {.text = out, .size = out_size};
    const char *authority = after_scheme(url);
    const char *query;
    out[0] = '\0';
    if (authority == NULL) {
        put(&output, url, strlen(url));
        return out;
    }
    /* Search up to the last @, because a password that is not percent-encoded may contain an @. */
    const char *colon = strchr(authority, ':');
    const char *at = strrchr(authority, '@');
    if (colon != NULL && at != NULL && colon < at) {
        put(&output, url, (size_t)(colon + 1 - url));
        put(&output, "***", strlen("***"));
        url = at;
    }
    query = url + strcspn(url, "?");
    put(&output, url, (size_t)(query - url));
    put_query(&output, query);
    return out;
}
