/* A stream takes pieces of its body on a thread of the HTTP server, and answers each message once it is
 * whole. */
#include "grpc_internal.h"
#include "grpc_streams.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "rpc/wire.h"

#include "grpc/reflection/v1/reflection.pb-c.h"

enum { MESSAGE_MAX = 8192, MESSAGES_MAX = 100 };

/* A stream on which no message comes ends after this time. */
static const int64_t IDLE_NS = 60 * (int64_t)NS_PER_S;

struct reflection {
    struct grpc_stream stream;
    int64_t message_ns; /* when the last message came */
    size_t message_count;
    size_t used; /* bytes of the next message that have arrived, and its prefix */
    uint8_t bytes[GRPC_PREFIX_SIZE + MESSAGE_MAX];
};

typedef Grpc__Reflection__V1__ServerReflectionRequest reflection_request;
typedef Grpc__Reflection__V1__ServerReflectionResponse reflection_response;

/* ---- answers; each sends one response ---- */

static void send_response(struct reflection *reflection, reflection_response *response,
                          reflection_request *request)
{
    response->valid_host = request->host;
    response->original_request = request;
    grpc_stream_send(&reflection->stream, &response->base);
}

static void send_error(struct reflection *reflection, reflection_request *request, enum status status,
                       const char *message)
{
    Grpc__Reflection__V1__ErrorResponse error = GRPC__REFLECTION__V1__ERROR_RESPONSE__INIT;
    reflection_response response = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;
    error.error_code = (int32_t)status;
    error.error_message = (char *)(uintptr_t)message;
    response.message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE;
    response.error_response = &error;
    send_response(reflection, &response, request);
}

static void send_services(struct reflection *reflection, reflection_request *request)
{
    const char *names[GRPC_SERVICES_MAX];
    Grpc__Reflection__V1__ServiceResponse services[GRPC_SERVICES_MAX], *pointers[GRPC_SERVICES_MAX];
    Grpc__Reflection__V1__ListServiceResponse list = GRPC__REFLECTION__V1__LIST_SERVICE_RESPONSE__INIT;
    reflection_response response = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;
    list.n_service = grpc_descriptors_services(reflection->stream.streams->descriptors, names);
    list.service = pointers;
    for (size_t i = 0; i < list.n_service; i++) {
        services[i] = (Grpc__Reflection__V1__ServiceResponse)GRPC__REFLECTION__V1__SERVICE_RESPONSE__INIT;
        services[i].name = (char *)(uintptr_t)names[i];
        pointers[i] = &services[i];
    }
    response.message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
    response.list_services_response = &list;
    send_response(reflection, &response, request);
}

static void send_files(struct reflection *reflection, reflection_request *request, struct grpc_files *files)
{
    Grpc__Reflection__V1__FileDescriptorResponse list = GRPC__REFLECTION__V1__FILE_DESCRIPTOR_RESPONSE__INIT;
    reflection_response response = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;
    list.n_file_descriptor_proto = files->count;
    list.file_descriptor_proto = files->files;
    response.message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
    response.file_descriptor_response = &list;
    send_response(reflection, &response, request);
}

static void respond(struct reflection *reflection, reflection_request *request)
{
    const struct grpc_descriptors *descriptors = reflection->stream.streams->descriptors;
    struct grpc_files files;
    bool found;
    switch (request->message_request_case) {
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES:
        send_services(reflection, request);
        return;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME:
        found = grpc_descriptors_by_name(descriptors, request->file_by_filename, &files);
        break;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL:
        found = grpc_descriptors_by_symbol(descriptors, request->file_containing_symbol, &files);
        break;
    default:
        send_error(reflection, request, STATUS_UNIMPLEMENTED, "only services, files and symbols are served");
        return;
    }
    if (found)
        send_files(reflection, request, &files);
    else
        send_error(reflection, request, STATUS_NOT_FOUND, "there is no such file or symbol");
}

/* ---- requests; the caller holds the lock ---- */

static void take_message(struct reflection *reflection, const uint8_t *bytes, size_t size)
{
    struct arena arena;
    struct error error;
    arena_init(&arena);
    ProtobufCMessage *message = wire_unpack(&grpc__reflection__v1__server_reflection_request__descriptor,
                                            bytes, size, WIRE_REQUEST_ELEMENTS_MAX, &arena, &error);
    if (message == NULL)
        grpc_stream_end(&reflection->stream, error.status,
                        error.status == STATUS_INVALID_ARGUMENT ? "a message is malformed" : "out of memory");
    else if (++reflection->message_count > MESSAGES_MAX)
        grpc_stream_end(&reflection->stream, STATUS_RESOURCE_EXHAUSTED, "too many messages on one stream");
    else
        respond(reflection, (reflection_request *)message);
    reflection->message_ns = clock_monotonic_ns();
    arena_fini(&arena);
}

/* Ends the stream if the prefix does not announce a message that can be read. Returns the message's size. */
static size_t check_prefix(struct reflection *reflection)
{
    const uint8_t *prefix = reflection->bytes;
    size_t size = grpc_message_size(prefix);
    if (prefix[0] != 0)
        grpc_stream_end(&reflection->stream, STATUS_UNIMPLEMENTED, "compressed messages are not supported");
    else if (size > MESSAGE_MAX)
        grpc_stream_end(&reflection->stream, STATUS_RESOURCE_EXHAUSTED, "a message is too large");
    return size;
}

static void take_bytes(struct reflection *reflection, const uint8_t *bytes, size_t size)
{
    while (size > 0 && !reflection->stream.ended) {
        size_t wanted = GRPC_PREFIX_SIZE;
        if (reflection->used >= GRPC_PREFIX_SIZE)
            wanted += grpc_message_size(reflection->bytes);
        size_t part = wanted - reflection->used < size ? wanted - reflection->used : size;
        memcpy(reflection->bytes + reflection->used, bytes, part);
        reflection->used += part;
        bytes += part;
        size -= part;
        if (reflection->used == GRPC_PREFIX_SIZE)
            wanted = GRPC_PREFIX_SIZE + check_prefix(reflection);
        if (reflection->used == wanted && !reflection->stream.ended) {
            take_message(reflection, reflection->bytes + GRPC_PREFIX_SIZE, wanted - GRPC_PREFIX_SIZE);
            reflection->used = 0;
        }
    }
}

static void take(void *context, const uint8_t *bytes, size_t size)
{
    struct reflection *reflection = context;
    struct grpc_streams *streams = reflection->stream.streams;
    pthread_mutex_lock(&streams->lock);
    if (bytes != NULL)
        take_bytes(reflection, bytes, size);
    else if (reflection->used > 0)
        grpc_stream_end(&reflection->stream, STATUS_INVALID_ARGUMENT, "the body ends within a message");
    else
        grpc_stream_end(&reflection->stream, STATUS_OK, "");
    pthread_mutex_unlock(&streams->lock);
}

static void look(struct grpc_stream *stream, bool is_ready, int64_t now_ns)
{
    struct reflection *reflection = container_of(stream, struct reflection, stream);
    (void)is_ready;
    if (now_ns - reflection->message_ns > IDLE_NS)
        grpc_stream_end(stream, STATUS_UNAVAILABLE, "no message for a minute: open another stream");
}

enum status grpc_reflect(struct gateway *gateway, struct http_request *request, struct error *error)
{
    struct reflection *reflection = calloc(1, sizeof *reflection);
    if (reflection == NULL)
        return error_no_memory(error);
    reflection->message_ns = clock_monotonic_ns();
    reflection->stream.look = look;
    pthread_mutex_lock(&gateway->grpc_streams->lock);
    enum status status = grpc_stream_begin(gateway->grpc_streams, request, &reflection->stream, error);
    if (status == STATUS_OK)
        http_body_read(request, take, reflection);
    else
        free(reflection);
    pthread_mutex_unlock(&gateway->grpc_streams->lock);
    return status;
}
