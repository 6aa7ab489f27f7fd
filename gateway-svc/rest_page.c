#include "rest_page.h"

#include <string.h>

/* A growing text. The first pass measures it, and the second pass writes it. */
struct url {
    char *text; /* NULL while measuring */
    size_t size;
    char separator; /* separator before the next parameter */
};

static void append(struct url *url, char c)
{
    if (url->text != NULL)
        url->text[url->size] = c;
    url->size++;
}

static void append_plain(struct url *url, const char *text)
{
    for (; *text != '\0'; text++)
        append(url, *text);
}

static bool is_unreserved(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           strchr("-._~", c) != NULL;
}

static void append_escaped(struct url *url, const char *text)
{
    static const char DIGITS[] = "0123456789ABCDEF";
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        if (is_unreserved(*text)) {
            append(url, *text);
            continue;
        }
        append(url, '%');
        append(url, DIGITS[byte >> 4]);
        append(url, DIGITS[byte & 0xF]);
    }
}

static bool append_parameter(void *context, const char *name, const char *value)
{
    struct url *url = context;
    if (strcmp(name, "pageToken") == 0 || strcmp(name, "page_token") == 0)
        return true;
    append(url, url->separator);
    url->separator = '&';
    append_escaped(url, name);
    append(url, '=');
    append_escaped(url, value);
    return true;
}

static void append_all(struct url *url, const struct http_request *request)
{
    *url = (struct url){.text = url->text, .separator = '?'};
    http_query_visit(request, append_parameter, url);
    append(url, url->separator);
    append_plain(url, "pageToken=");
}

const char *rest_page_next(struct http_request *request)
{
    struct url url = {.text = NULL};
    append_all(&url, request);
    url.text = arena_alloc(http_arena(request), url.size + 1);
    if (url.text != NULL)
        append_all(&url, request);
    return url.text;
}
