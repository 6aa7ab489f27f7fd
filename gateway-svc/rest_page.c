#include "rest_page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct url {
    FILE *text;
    char separator; /* separator before the next parameter */
};

static bool is_unreserved(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           strchr("-._~", c) != NULL;
}

static void append_escaped(FILE *out, const char *text)
{
    for (; *text != '\0'; text++)
        if (is_unreserved(*text))
            fputc(*text, out);
        else
            fprintf(out, "%%%02X", (unsigned char)*text);
}

static bool append_parameter(void *context, const char *name, const char *value)
{
    struct url *url = context;
    if (strcmp(name, "pageToken") == 0 || strcmp(name, "page_token") == 0)
        return true;
    fputc(url->separator, url->text);
    url->separator = '&';
    append_escaped(url->text, name);
    fputc('=', url->text);
    append_escaped(url->text, value);
    return true;
}

const char *rest_page_next(struct http_request *request)
{
    char *text = NULL;
    size_t size;
    struct url url = {.text = open_memstream(&text, &size), .separator = '?'};
    if (url.text == NULL)
        return NULL;
    http_query_visit(request, append_parameter, &url);
    fprintf(url.text, "%cpageToken=", url.separator);
    const char *copy = fclose(url.text) == 0 ? arena_strdup(http_arena(request), text) : NULL;
    free(text);
    return copy;
}
