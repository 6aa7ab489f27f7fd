#include "http_head.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct head_check {
    unsigned content_lengths, transfer_encodings, hosts;
    bool chunked;
    bool malformed;
};

/* Returns whether the name is a token (RFC 9110, 5.6.2). */
static bool is_token(const char *name)
{
    size_t length =
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~");
    return length > 0 && name[length] == '\0';
}

static bool has_control(const char *value)
{
    for (; *value != '\0'; value++)
        if (iscntrl((unsigned char)*value) && *value != '\t')
            return true;
    return false;
}

static enum MHD_Result check_field(void *context, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    struct head_check *check = context;
    (void)kind;
    /* libmicrohttpd ignores "Content-Length : 5", but other servers may read it as a length. */
    check->malformed |= !is_token(name) || value == NULL || has_control(value);
    check->content_lengths += strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0;
    check->hosts += strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0;
    if (strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
        check->transfer_encodings++;
        check->chunked = value != NULL && strcasecmp(value, "chunked") == 0;
    }
    return MHD_YES;
}

const char *http_head_problem(struct MHD_Connection *mhd, const char *version)
{
    struct head_check check = {0};
    MHD_get_connection_values(mhd, MHD_HEADER_KIND, check_field, &check);
    if (check.malformed)
        return "a field of the head is malformed";
    if (check.content_lengths + check.transfer_encodings > 1)
        return "Content-Length and Transfer-Encoding: one of them, once";
    if (check.transfer_encodings == 1 && !check.chunked)
        return "Transfer-Encoding: must be chunked";
    if (check.transfer_encodings == 1 && strcmp(version, MHD_HTTP_VERSION_1_0) == 0)
        return "Transfer-Encoding: is not there in HTTP/1.0";
    if (check.hosts > 1)
        return "Host: must be given once";
    return NULL;
}

unsigned long long http_head_length(struct MHD_Connection *mhd)
{
    enum { DECIMAL = 10 };
    const char *length = MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return length != NULL ? strtoull(length, NULL, DECIMAL) : 0;
}

size_t http_head_unescape(void *context, struct MHD_Connection *mhd, char *text)
{
    (void)context;
    (void)mhd;
    return strstr(text, "%00") != NULL ? strlen(text) : MHD_http_unescape(text);
}
