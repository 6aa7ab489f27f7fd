#include "methods.h"

#include <string.h>

#include "grpc/health/v1/health.pb-c.h"
#include "rpc/v1/introspection.pb-c.h"
#include "screening/v1/booking.pb-c.h"
#include "screening/v1/event.pb-c.h"
#include "screening/v1/history.pb-c.h"
#include "screening/v1/hospital.pb-c.h"

const struct method_service METHOD_SERVICES[] = {
    {&screening__v1__hospital_service__descriptor, {[PEER_HOSPITAL] = true}},
    {&screening__v1__booking_service__descriptor, {[PEER_BOOKING] = true}},
    {&screening__v1__history_service__descriptor, {[PEER_HISTORY] = true}},
    {&screening__v1__event_log_service__descriptor, {[PEER_HOSPITAL] = true, [PEER_BOOKING] = true}},
    {&grpc__health__v1__health__descriptor, {true, true, true}},
    {&rpc__v1__introspection__descriptor, {true, true, true}},
};

const size_t METHOD_SERVICE_COUNT = sizeof METHOD_SERVICES / sizeof METHOD_SERVICES[0];

static bool is_service(const ProtobufCServiceDescriptor *descriptor, const char *name, size_t length)
{
    return (strlen(descriptor->name) == length && strncmp(descriptor->name, name, length) == 0) ||
           (strlen(descriptor->short_name) == length && strncmp(descriptor->short_name, name, length) == 0);
}

const struct method_service *method_find(const char *name, const ProtobufCMethodDescriptor **method)
{
    const char *slash = strchr(name, '/');
    const char *short_name = slash == NULL ? name : slash + 1;
    for (size_t i = 0; i < METHOD_SERVICE_COUNT; i++) {
        const ProtobufCServiceDescriptor *descriptor = METHOD_SERVICES[i].descriptor;
        if (slash != NULL && !is_service(descriptor, name, (size_t)(slash - name)))
            continue;
        *method = protobuf_c_service_descriptor_get_method_by_name(descriptor, short_name);
        if (*method != NULL)
            return &METHOD_SERVICES[i];
    }
    return NULL;
}

enum peer_name method_only_peer(const struct method_service *service)
{
    enum peer_name only = PEER_COUNT;
    int count = 0;
    for (int i = 0; i < PEER_COUNT; i++) {
        if (service->served_by[i]) {
            only = (enum peer_name)i;
            count++;
        }
    }
    return count == 1 ? only : PEER_COUNT;
}
