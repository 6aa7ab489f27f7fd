#include "base/address_list.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { PORT_MAX = 65535, BASE = 10 };

static const struct {
    enum address_scheme scheme;
    const char *prefix;
} SCHEMES[] = {{ADDRESS_TCP, "tcp://"},
               {ADDRESS_IPC, "ipc://"},
               {ADDRESS_TLS, "tls+tcp://"},
               {ADDRESS_INPROC, "inproc://"}};

/* ---- one address ---- */

/* Returns the part after the scheme, or NULL if the scheme is not one of `schemes`. */
static const char *after_scheme(const char *text, unsigned schemes, enum address_scheme *scheme)
{
    for (size_t i = 0; i < sizeof SCHEMES / sizeof SCHEMES[0]; i++) {
        size_t length = strlen(SCHEMES[i].prefix);
        if ((schemes & SCHEMES[i].scheme) != 0 && strncmp(text, SCHEMES[i].prefix, length) == 0) {
            *scheme = SCHEMES[i].scheme;
            return text + length;
        }
    }
    return NULL;
}

static bool parse_port(const char *text, uint16_t *out)
{
    unsigned port = 0;
    for (const char *c = text; *c != '\0'; c++) {
        if (*c < '0' || *c > '9')
            return false;
        port = port * BASE + (unsigned)(*c - '0');
        if (port > PORT_MAX)
            return false;
    }
    *out = (uint16_t)port;
    return port > 0;
}

/*
 * Stores the host of `length` bytes, an IPv6 address in its usual form. Sets out->named. nng's form
 * "INTERFACE;HOST" is no name, because only nng can dial it. Returns false if the host is too long.
 */
static bool parse_host(const char *host, size_t length, struct listed_address *out)
{
    struct in6_addr v6;
    struct in_addr v4;
    bool bracketed = length >= 2 && host[0] == '[' && host[length - 1] == ']';
    if (bracketed) {
        host++;
        length -= 2;
    }
    if (length == 0 || length >= sizeof out->host)
        return false;
    memcpy(out->host, host, length);
    out->host[length] = '\0';
    if (bracketed && inet_pton(AF_INET6, out->host, &v6) == 1)
        (void)inet_ntop(AF_INET6, &v6, out->host, sizeof out->host); /* the host is large enough */
    out->named = !bracketed && strchr(out->host, ';') == NULL && inet_pton(AF_INET, out->host, &v4) != 1;
    return true;
}

static bool parse_host_and_port(const char *where, struct listed_address *out)
{
    const char *colon = strrchr(where, ':');
    return colon != NULL && parse_port(colon + 1, &out->port) &&
           parse_host(where, (size_t)(colon - where), out);
}

enum status listed_address_parse(const char *text, unsigned schemes, struct listed_address *out,
                                 struct error *error)
{
    struct listed_address parsed = {0};
    const char *where = after_scheme(text, schemes, &parsed.scheme);
    bool valid = where != NULL;
    if (valid && parsed.scheme == ADDRESS_IPC) {
        if (where[0] == '\0' || strlen(where) > ADDRESS_IPC_PATH_MAX_BYTES)
            return error_invalid(error, "an ipc path must have 1 to %d bytes", ADDRESS_IPC_PATH_MAX_BYTES);
    } else if (valid && parsed.scheme != ADDRESS_INPROC) {
        valid = parse_host_and_port(where, &parsed);
    }
    if (!valid || snprintf(parsed.text, sizeof parsed.text, "%s", text) >= (int)sizeof parsed.text)
        return error_invalid(error, "must be tcp://HOST:PORT%s (port 1 to %d) or ipc://PATH",
                             (schemes & ADDRESS_TLS) != 0 ? ", tls+tcp://HOST:PORT" : "", PORT_MAX);
    *out = parsed;
    return STATUS_OK;
}

/* ---- lists ---- */

static bool same(const struct listed_address *a, const struct listed_address *b)
{
    if (a->scheme != b->scheme)
        return false;
    if (a->port == 0)
        return strcmp(a->text, b->text) == 0;
    return a->port == b->port && strcasecmp(a->host, b->host) == 0;
}

/* Adds the next part of a list. `single` = the list has no other part. */
static enum status add(struct address_list *list, const char *text, bool single, unsigned schemes,
                       struct error *error)
{
    size_t part = list->count + 1;
    if (part > ADDRESS_LIST_MAX)
        return error_invalid(error, "part %zu (%s): at most %d addresses are allowed", part, text,
                             ADDRESS_LIST_MAX);
    if (text[0] == '\0' && !single)
        return error_invalid(error, "part %zu is empty", part);
    struct error rule;
    struct listed_address *added = &list->items[list->count];
    enum status status = listed_address_parse(text, schemes, added, &rule);
    if (status != STATUS_OK && single)
        return error_invalid(error, "%s", rule.message);
    if (status != STATUS_OK)
        return error_invalid(error, "part %zu (%s): %s", part, text, rule.message);
    for (size_t i = 0; i < list->count; i++)
        if (same(&list->items[i], added))
            return error_invalid(error, "part %zu (%s) is already part %zu", part, text, i + 1);
    list->count++;
    return STATUS_OK;
}

enum status address_list_parse(const char *text, unsigned schemes, struct address_list *out,
                               struct error *error)
{
    struct address_list list = {0};
    bool single = strchr(text, ',') == NULL;
    const char *part = text;
    for (;;) {
        /* A part that is cut off here is too long to be valid. */
        char copy[2 * ADDRESS_TEXT_SIZE];
        size_t length = strcspn(part, ",");
        (void)snprintf(copy, sizeof copy, "%.*s", length < sizeof copy ? (int)length : (int)sizeof copy,
                       part);
        TRY(add(&list, copy, single, schemes, error));
        if (part[length] == '\0')
            break;
        part += length + 1;
    }
    *out = list;
    return STATUS_OK;
}
