#include "error_details.h"

#include "base/clock.h"

#include "google/rpc/error_details.pb-c.h"

static void pack(const ProtobufCMessage *message, struct error_detail *detail)
{
    detail->type = message->descriptor->name;
    detail->size = protobuf_c_message_pack(message, detail->packed);
}

size_t error_details_pack(const struct error *error, struct error_detail details[ERROR_DETAILS_MAX])
{
    size_t count = 0;
    if (error->reason[0] != '\0') {
        Google__Rpc__ErrorInfo info = GOOGLE__RPC__ERROR_INFO__INIT;
        info.reason = (char *)error->reason;
        info.domain = ERROR_DETAIL_DOMAIN;
        pack(&info.base, &details[count++]);
    }
    if (error->retry_after_ms > 0) {
        Google__Protobuf__Duration delay = GOOGLE__PROTOBUF__DURATION__INIT;
        Google__Rpc__RetryInfo info = GOOGLE__RPC__RETRY_INFO__INIT;
        delay.seconds = error->retry_after_ms / MS_PER_S;
        delay.nanos = (int32_t)(error->retry_after_ms % MS_PER_S) * NS_PER_MS;
        info.retry_delay = &delay;
        pack(&info.base, &details[count++]);
    }
    return count;
}
