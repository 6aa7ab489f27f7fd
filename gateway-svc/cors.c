#include "cors.h"

#include "http_status.h"

#include <string.h>
#include <strings.h>

enum { PORT_MAX_DIGITS = 5 };

/*
 * Returns the host and port of an http or https origin, or NULL for any other. Sets *own_port to the scheme's
 * default port, such as ":443", which browsers omit.
 */
static const char *authority_of(const char *origin, const char **own_port)
{
    static const struct {
        const char *prefix, *own_port;
    } schemes[] = {{"https://", ":443"}, {"http://", ":80"}};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t length = strlen(schemes[i].prefix);
        *own_port = schemes[i].own_port;
        if (strncmp(origin, schemes[i].prefix, length) == 0)
            return origin + length;
    }
    return NULL;
}

static bool is_origin(const char *origin)
{
    static const char LETTERS_AND_DIGITS[] = "abcdefghijklmnopqrstuvwxyz0123456789-.",
                      ADDRESS[] = "0123456789abcdef:.";
    const char *own_port = NULL, *authority = authority_of(origin, &own_port);
    if (authority == NULL)
        return false;
    bool bracketed = authority[0] == '[';
    size_t size = bracketed ? 1 + strspn(authority + 1, ADDRESS) : strspn(authority, LETTERS_AND_DIGITS);
    if (bracketed && authority[size] == ']')
        size++;
    else if (bracketed)
        return false;
    const char *port = authority + size;
    size_t digits = port[0] == ':' ? strspn(port + 1, "0123456789") : 0;
    bool whole = port[0] == '\0' || (digits > 0 && digits <= PORT_MAX_DIGITS && port[1 + digits] == '\0');
    return size > 0 && whole && strcmp(port, own_port) != 0;
}

enum status cors_check(const char *origin, struct error *error)
{
    if (origin[0] == '\0' || is_origin(origin))
        return STATUS_OK;
    return error_invalid(
        error, "cors-origin: must be one origin as browsers send it, https://HOST or https://HOST:PORT");
}

/*
 * Returns whether a page of this origin calls its own host. Ignores the scheme, because a proxy may terminate
 * TLS.
 */
static bool is_own(const char *origin, const char *authority)
{
    const char *own_port = NULL, *host = authority_of(origin, &own_port);
    if (host == NULL || authority == NULL)
        return false;
    size_t size = strlen(host);
    return strncasecmp(host, authority, size) == 0 &&
           (authority[size] == '\0' || strcmp(authority + size, own_port) == 0);
}

bool cors_refuses(const char *allowed, const char *method, const char *origin, const char *site,
                  const char *authority)
{
    if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 || strcmp(method, "OPTIONS") == 0)
        return false;
    if (origin != NULL)
        return !is_own(origin, authority) && (allowed[0] == '\0' || strcmp(origin, allowed) != 0);
    return site != NULL && strcasecmp(site, "cross-site") == 0;
}

bool cors_is_refused(const char *allowed, const struct http_request *request)
{
    return cors_refuses(allowed, http_method(request), http_header(request, "Origin"),
                        http_header(request, "Sec-Fetch-Site"), http_header(request, "Host"));
}

static bool is_allowed(const char *allowed, const struct http_request *request)
{
    const char *origin = http_header(request, "Origin");
    return allowed[0] != '\0' && origin != NULL && strcmp(origin, allowed) == 0;
}

void cors_begin(const char *allowed, struct http_request *request)
{
    if (allowed[0] == '\0')
        return;
    http_add_field(request, "Vary", "Origin");
    if (!is_allowed(allowed, request))
        return;
    http_add_field(request, "Access-Control-Allow-Origin", allowed);
    http_add_field(request, "Access-Control-Expose-Headers", "ETag, Link, Location, Retry-After");
}

bool cors_preflight(const char *allowed, struct http_request *request)
{
    static const struct http_answer answer = {
        .code = HTTP_NO_CONTENT,
        .fields =
            {{"Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, DELETE"},
             {"Access-Control-Allow-Headers",
              "Authorization, Cache-Control, Connect-Protocol-Version, Connect-Timeout-Ms, Content-Type, "
              "Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Request-Timeout-Ms, "
              "traceparent"},
             {"Access-Control-Max-Age", "600"}},
    };
    if (!is_allowed(allowed, request) || strcmp(http_method(request), "OPTIONS") != 0 ||
        http_header(request, "Access-Control-Request-Method") == NULL)
        return false;
    http_respond(request, &answer);
    return true;
}
