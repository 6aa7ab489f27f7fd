#include "header_rules.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

struct search {
    const struct http_request *request;
    const char *found;
};

static bool look(void *context, const char *name, const char *value)
{
    static const char *const SINGLE[] = {
        "Authorization",
        "Connect-Protocol-Version",
        "Connect-Timeout-Ms",
        "Content-Encoding",
        "Content-Type",
        "Idempotency-Key",
        "If-Match",
        "Last-Event-ID",
        "Origin",
        "Request-Timeout-Ms",
        "Sec-Fetch-Site",
        "grpc-encoding",
        "grpc-timeout",
        "traceparent",
    };
    struct search *search = context;
    for (size_t i = 0; i < sizeof SINGLE / sizeof SINGLE[0]; i++) {
        const char *first = http_is_name(name, SINGLE[i]) ? http_header(search->request, name) : NULL;
        if (first != NULL && strcmp(value, first) != 0) {
            search->found = SINGLE[i];
            return false;
        }
    }
    return true;
}

const char *header_contradiction(const struct http_request *request)
{
    struct search search = {.request = request};
    (void)http_header_visit(request, look, &search);
    return search.found;
}

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, " \t");
}

enum parameter { CHARSET_UTF8, CHARSET_OTHER, NO_CHARSET };

/* Returns the charset that the parameter at `text`, "NAME=VALUE", specifies. */
static enum parameter read_parameter(const char *text)
{
    static const char NAME[] = "charset";
    static const char *const ALLOWED[] = {"charset=utf-8", "charset=\"utf-8\""};
    size_t size = strcspn(text, "; \t");
    for (size_t i = 0; i < sizeof ALLOWED / sizeof ALLOWED[0]; i++)
        if (size == strlen(ALLOWED[i]) && strncasecmp(text, ALLOWED[i], size) == 0)
            return CHARSET_UTF8;
    bool named = strcspn(text, "=; \t") == strlen(NAME) && strncasecmp(text, NAME, strlen(NAME)) == 0;
    return named ? CHARSET_OTHER : NO_CHARSET;
}

bool header_is_json(const char *content_type, bool any_parameter)
{
    static const char JSON[] = "application/json";
    if (content_type == NULL || strncasecmp(content_type, JSON, strlen(JSON)) != 0)
        return false;
    const char *at = skip_blanks(content_type + strlen(JSON));
    while (*at == ';') {
        at = skip_blanks(at + 1);
        enum parameter parameter = read_parameter(at);
        if (parameter == CHARSET_OTHER || (parameter == NO_CHARSET && !any_parameter))
            return false;
        at += strcspn(at, ";");
    }
    return *at == '\0';
}

bool header_is_form(const char *content_type)
{
    static const char *const FORMS[] = {"application/x-www-form-urlencoded", "multipart/form-data",
                                        "text/plain"};
    for (size_t i = 0; i < sizeof FORMS / sizeof FORMS[0] && content_type != NULL; i++)
        if (strncasecmp(content_type, FORMS[i], strlen(FORMS[i])) == 0)
            return true;
    return false;
}

bool header_is_identity(const char *content_encoding)
{
    return content_encoding == NULL || content_encoding[0] == '\0' ||
           strcasecmp(content_encoding, "identity") == 0;
}
