#include "connect_error.h"

#include "error_details.h"
#include "http_mapping.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "protojson/base64.h"

enum { ENCODED_MAX = (ERROR_DETAIL_SIZE + 2) / 3 * 4 };

/* Returns a detail in readable form, or NULL when out of memory. */
static json_t *shown(const struct error *error, const struct error_detail *detail)
{
    static const char RETRY[] = "google.rpc.RetryInfo";
    if (strcmp(detail->type, RETRY) != 0)
        return json_pack("{s:s, s:s}", "reason", error->reason, "domain", ERROR_DETAIL_DOMAIN);
    unsigned s = error->retry_after_ms / MS_PER_S, ms = error->retry_after_ms % MS_PER_S;
    return json_pack("{s:o}", "retryDelay", json_sprintf("%u.%03us", s, ms));
}

/* Returns a detail as JSON, or NULL when out of memory. */
static json_t *detail_of(const struct error *error, const struct error_detail *detail)
{
    char encoded[ENCODED_MAX];
    protojson_base64_encode(detail->packed, detail->size, encoded);
    size_t unpadded = (8 * detail->size + 5) / 6;
    return json_pack("{s:s, s:s%, s:o}", "type", detail->type, "value", encoded, unpadded, "debug",
                     shown(error, detail));
}

json_t *connect_error_json(const struct error *error)
{
    json_t *details = json_array();
    int failed = details == NULL;
    struct error_detail packed[ERROR_DETAILS_MAX];
    size_t count = error_details_pack(error, packed);
    for (size_t i = 0; i < count; i++)
        failed |= json_array_append_new(details, detail_of(error, &packed[i]));
    char message[sizeof error->message];
    snprintf(message, sizeof message, "%s", http_public_message(error));
    text_make_utf8(message); /* the message may be truncated within a character */
    json_t *json = json_pack("{s:s, s:s}", "code", http_connect_word(error->status), "message", message);
    if (json_array_size(details) > 0)
        failed |= json_object_set(json, "details", details);
    json_decref(details);
    if (failed) {
        json_decref(json);
        return NULL;
    }
    return json;
}
