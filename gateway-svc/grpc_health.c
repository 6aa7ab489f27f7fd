#include "grpc_internal.h"
#include "grpc_streams.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#include "grpc/health/v1/health.pb-c.h"

#define SERVING         GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
#define NOT_SERVING     GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING
#define SERVICE_UNKNOWN GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN

typedef Grpc__Health__V1__HealthCheckResponse__ServingStatus serving_status;

/* A stream repeats its status after this pause, so that no proxy ends it as idle. */
static const int64_t REPEAT_NS = 15 * (int64_t)NS_PER_S;

struct watch {
    struct grpc_stream stream;
    bool is_known; /* whether the service is known */
    serving_status status;
    int64_t sent_ns;
};

static bool has_service(const struct gateway *gateway, const char *name)
{
    size_t count;
    const struct backend_method *methods = backend_methods(gateway->backend, &count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(methods[i].service->name, name) == 0)
            return true;
    return name[0] == '\0';
}

/* Reads the request. Sets *is_known to whether its service is known. */
static enum status read_request(const struct gateway *gateway, struct http_request *request, bool *is_known,
                                struct error *error)
{
    ProtobufCMessage *message;
    TRY(grpc_read_message(request, &grpc__health__v1__health_check_request__descriptor, &message, error));
    *is_known = has_service(gateway, ((const Grpc__Health__V1__HealthCheckRequest *)message)->service);
    return STATUS_OK;
}

static bool is_ready(const struct gateway *gateway)
{
    return gateway->not_ready(gateway->not_ready_context) == NULL;
}

enum status grpc_health_check(struct gateway *gateway, struct http_request *request, struct error *error)
{
    Grpc__Health__V1__HealthCheckResponse response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    bool is_known;
    TRY(read_request(gateway, request, &is_known, error));
    if (!is_known)
        return error_set(error, STATUS_NOT_FOUND, NULL, "there is no such service");
    response.status = is_ready(gateway) ? SERVING : NOT_SERVING;
    grpc_respond_message(request, &response.base);
    return STATUS_OK;
}

static void send_status(struct watch *watch, serving_status status, int64_t now_ns)
{
    Grpc__Health__V1__HealthCheckResponse response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    response.status = watch->status = status;
    watch->sent_ns = now_ns;
    grpc_stream_send(&watch->stream, &response.base);
}

static serving_status status_of(const struct watch *watch, bool ready)
{
    if (!watch->is_known)
        return SERVICE_UNKNOWN;
    return ready ? SERVING : NOT_SERVING;
}

static void look(struct grpc_stream *stream, bool ready, int64_t now_ns)
{
    struct watch *watch = container_of(stream, struct watch, stream);
    serving_status status = status_of(watch, ready);
    if (status != watch->status || now_ns - watch->sent_ns >= REPEAT_NS)
        send_status(watch, status, now_ns);
}

enum status grpc_health_watch(struct gateway *gateway, struct http_request *request, struct error *error)
{
    bool is_known, ready = is_ready(gateway);
    TRY(read_request(gateway, request, &is_known, error));
    struct watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL)
        return error_no_memory(error);
    watch->is_known = is_known;
    watch->stream.look = look;
    pthread_mutex_lock(&gateway->grpc_streams->lock);
    enum status status = grpc_stream_begin(gateway->grpc_streams, request, &watch->stream, error);
    if (status == STATUS_OK)
        send_status(watch, status_of(watch, ready), clock_monotonic_ns());
    else
        free(watch);
    pthread_mutex_unlock(&gateway->grpc_streams->lock);
    return status;
}
