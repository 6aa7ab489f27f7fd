#include "connect_error.h"

#include "http_mapping.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/text.h"
#include "protojson/base64.h"

#include "google/rpc/error_details.pb-c.h"

static const char DOMAIN[] = "screening.v1";

/*
 * The size of the largest detail, an ErrorInfo. It has a reason of less than ERROR_REASON_SIZE and the
 * domain, each preceded by two bytes.
 */
enum { PACKED_MAX = ERROR_REASON_SIZE + sizeof DOMAIN + 4, ENCODED_MAX = (PACKED_MAX + 2) / 3 * 4 };

/*
 * Makes a detail. Takes ownership of `shown`, which is the same detail in readable form. Returns NULL when
 * out of memory.
 */
static json_t *detail_of(const ProtobufCMessage *message, json_t *shown)
{
    uint8_t packed[PACKED_MAX];
    char encoded[ENCODED_MAX];
    size_t size = protobuf_c_message_pack(message, packed);
    protojson_base64_encode(packed, size, encoded);
    size_t unpadded = (8 * size + 5) / 6;
    return json_pack("{s:s, s:s%, s:o}", "type", message->descriptor->name, "value", encoded, unpadded,
                     "debug", shown);
}

static json_t *reason_detail(const struct error *error)
{
    Google__Rpc__ErrorInfo info = GOOGLE__RPC__ERROR_INFO__INIT;
    info.reason = (char *)error->reason;
    info.domain = (char *)DOMAIN;
    return detail_of(&info.base, json_pack("{s:s, s:s}", "reason", info.reason, "domain", info.domain));
}

static json_t *retry_detail(const struct error *error)
{
    Google__Protobuf__Duration delay = GOOGLE__PROTOBUF__DURATION__INIT;
    Google__Rpc__RetryInfo info = GOOGLE__RPC__RETRY_INFO__INIT;
    uint32_t ms = error->retry_after_ms % MS_PER_S;
    delay.seconds = error->retry_after_ms / MS_PER_S;
    delay.nanos = (int32_t)ms * NS_PER_MS;
    info.retry_delay = &delay;
    return detail_of(&info.base,
                     json_pack("{s:o}", "retryDelay", json_sprintf("%d.%03us", (int)delay.seconds, ms)));
}

json_t *connect_error_json(const struct error *error)
{
    json_t *details = json_array();
    int failed = details == NULL;
    if (error->reason[0] != '\0')
        failed |= json_array_append_new(details, reason_detail(error));
    if (error->retry_after_ms > 0)
        failed |= json_array_append_new(details, retry_detail(error));
    char message[sizeof error->message];
    snprintf(message, sizeof message, "%s", http_public_message(error));
    text_make_utf8(message); /* it may be truncated within a character */
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
