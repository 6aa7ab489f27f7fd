#include "backend.h"

#include "http.h"
#include "http_mapping.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/digest.h"
#include "base/uuid.h"

#include "google/protobuf/descriptor.pb-c.h"
#include "screening/v1/booking.pb-c.h"
#include "screening/v1/history.pb-c.h"
#include "screening/v1/hospital.pb-c.h"
#include "screening/v1/words.h"

/* The descriptor set of the .proto files, needed because protobuf-c's own descriptors omit method options. */
extern const char gateway_descriptor_set[];
extern const size_t gateway_descriptor_set_size;

/*
 * The maximum numbers of concurrent calls to one service. CALLS_MAX is more than enough to keep the service
 * busy, but only a fraction of what the service can queue. Lists have a separate, smaller limit, because
 * their responses are large and delay other responses on the same connection.
 */
enum { CALLS_MAX = 256, LISTS_MAX = 16, TURN_RETRY_AFTER_MS = 1000 };
enum { CALLS, LISTS, KINDS };

/*
 * A response is large if one of its repeated fields has more elements than this. The threads of answers.h
 * write large responses.
 */
enum { ELEMENTS_SMALL = 32 };

enum { METHODS_MAX = 64, CLIENTS_MAX = 8, SERVICE_METHODS_MAX = 32 };

const char *const BACKEND_NAMES[BACKEND_COUNT] = {"hospital-svc", "booking-svc", "history-svc"};

static const struct {
    const ProtobufCServiceDescriptor *descriptor;
    enum backend_peer peer;
} services[] = {
    {&screening__v1__hospital_service__descriptor, BACKEND_HOSPITAL},
    {&screening__v1__booking_service__descriptor, BACKEND_BOOKING},
    {&screening__v1__history_service__descriptor, BACKEND_HISTORY},
};
enum { SERVICE_COUNT = sizeof services / sizeof services[0] };

struct backend {
    struct rpc_channel *channels[BACKEND_COUNT];
    struct security_peer peers[BACKEND_COUNT];
    struct turns *turns[BACKEND_COUNT][KINDS];
    struct answers *answers;
    struct rpc_client *clients[SERVICE_COUNT];
    struct backend_method methods[METHODS_MAX];
    size_t method_count;
};

/* ---- the methods ---- */

typedef Google__Protobuf__MethodOptions__IdempotencyLevel idempotency_level;
#define LEVEL(name) GOOGLE__PROTOBUF__METHOD_OPTIONS__IDEMPOTENCY_LEVEL__##name

/* Returns the method's idempotency level according to `files`, or IDEMPOTENCY_UNKNOWN if it has none. */
static idempotency_level level_of(const Google__Protobuf__FileDescriptorSet *files,
                                  const struct backend_method *method)
{
    for (size_t f = 0; f < files->n_file; f++) {
        const Google__Protobuf__FileDescriptorProto *file = files->file[f];
        for (size_t s = 0; s < file->n_service; s++) {
            const Google__Protobuf__ServiceDescriptorProto *service = file->service[s];
            size_t package = strlen(file->package);
            if (strncmp(method->service->name, file->package, package) != 0 ||
                strcmp(method->service->name + package + 1, service->name) != 0)
                continue;
            for (size_t m = 0; m < service->n_method; m++)
                if (strcmp(service->method[m]->name, method->method->name) == 0 &&
                    service->method[m]->options != NULL)
                    return service->method[m]->options->idempotency_level;
        }
    }
    return LEVEL(IDEMPOTENCY_UNKNOWN);
}

static bool has_pages(const ProtobufCMessageDescriptor *input)
{
    return protobuf_c_message_descriptor_get_field_by_name(input, "page_token") != NULL;
}

static void list_methods(struct backend *backend, const Google__Protobuf__FileDescriptorSet *files)
{
    for (size_t s = 0; s < SERVICE_COUNT; s++) {
        const ProtobufCServiceDescriptor *service = services[s].descriptor;
        for (unsigned m = 0; m < service->n_methods && backend->method_count < METHODS_MAX; m++) {
            if (!http_is_public(service, &service->methods[m]))
                continue;
            struct backend_method *method = &backend->methods[backend->method_count++];
            *method = (struct backend_method){.service = service,
                                              .method = &service->methods[m],
                                              .index = m,
                                              .client = s,
                                              .peer = services[s].peer,
                                              .lists = has_pages(service->methods[m].input)};
            idempotency_level level = level_of(files, method);
            method->no_side_effects = level == LEVEL(NO_SIDE_EFFECTS);
            method->idempotent = level != LEVEL(IDEMPOTENCY_UNKNOWN);
        }
    }
}

static enum status read_methods(struct backend *backend, struct error *error)
{
    Google__Protobuf__FileDescriptorSet *files = google__protobuf__file_descriptor_set__unpack(
        NULL, gateway_descriptor_set_size, (const uint8_t *)gateway_descriptor_set);
    if (files == NULL)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "no memory for the descriptors");
    list_methods(backend, files);
    google__protobuf__file_descriptor_set__free_unpacked(files, NULL);
    return STATUS_OK;
}

const struct backend_method *backend_find(const struct backend *backend, const char *service,
                                          size_t service_length, const char *method)
{
    for (size_t i = 0; i < backend->method_count; i++) {
        const struct backend_method *candidate = &backend->methods[i];
        if (strncmp(candidate->service->name, service, service_length) == 0 &&
            candidate->service->name[service_length] == '\0' && strcmp(candidate->method->name, method) == 0)
            return candidate;
    }
    return NULL;
}

const struct backend_method *backend_methods(const struct backend *backend, size_t *count)
{
    *count = backend->method_count;
    return backend->methods;
}

/* ---- opening and closing ---- */

static enum status connect_all(const struct backend_options *options, struct backend *backend,
                               struct error *error)
{
    for (int i = 0; i < BACKEND_COUNT; i++) {
        struct rpc_channel_options channel = {
            .address = options->addresses[i],
            .message_max_bytes = options->message_max_bytes,
            .peer = BACKEND_NAMES[i],
            .retry = {.percent = 10, .min_per_s = 10},
        };
        backend->peers[i] = (struct security_peer){options->security, BACKEND_NAMES[i]};
        security_introduce(&backend->peers[i], &channel);
        TRY(rpc_channel_open(&channel, &backend->channels[i], error));
        TRY(turns_open(CALLS_MAX, &backend->turns[i][CALLS], error));
        TRY(turns_open(LISTS_MAX, &backend->turns[i][LISTS], error));
    }
    for (size_t s = 0; s < SERVICE_COUNT; s++) {
        backend->clients[s] = rpc_client_create(backend->channels[services[s].peer], services[s].descriptor);
        if (backend->clients[s] == NULL)
            return error_no_memory(error);
    }
    return STATUS_OK;
}

enum status backend_open(const struct backend_options *options, struct backend **out, struct error *error)
{
    struct backend *backend = calloc(1, sizeof *backend);
    if (backend == NULL)
        return error_no_memory(error);
    enum status status = read_methods(backend, error);
    if (status == STATUS_OK)
        status = connect_all(options, backend, error);
    if (status == STATUS_OK)
        status = answers_open(&backend->answers, error);
    if (status != STATUS_OK) {
        backend_close(backend);
        return status;
    }
    *out = backend;
    return STATUS_OK;
}

void backend_stop(struct backend *backend)
{
    for (int i = 0; i < BACKEND_COUNT; i++) {
        turns_stop(backend->turns[i][CALLS]);
        turns_stop(backend->turns[i][LISTS]);
        rpc_channel_stop(backend->channels[i]);
    }
    answers_close(backend->answers); /* after rpc_channel_stop, no call returns another large response */
    backend->answers = NULL;
}

void backend_close(struct backend *backend)
{
    if (backend == NULL)
        return;
    for (size_t s = 0; s < SERVICE_COUNT; s++)
        rpc_client_destroy(backend->clients[s]);
    for (int i = 0; i < BACKEND_COUNT; i++)
        rpc_channel_close(backend->channels[i]);
    answers_close(backend->answers);
    for (int i = 0; i < BACKEND_COUNT; i++) {
        turns_close(backend->turns[i][CALLS]);
        turns_close(backend->turns[i][LISTS]);
    }
    free(backend);
}

struct rpc_channel *backend_channel(struct backend *backend, enum backend_peer peer)
{
    return backend->channels[peer];
}

/* ---- calls ---- */

/* Returns the id field of a creation, or NULL for every other request. */
static char **creation_id(ProtobufCMessage *request)
{
    if (request->descriptor == &screening__v1__create_booking_request__descriptor)
        return &((Screening__V1__CreateBookingRequest *)request)->booking_id;
    if (request->descriptor == &screening__v1__register_hospital_request__descriptor)
        return &((Screening__V1__RegisterHospitalRequest *)request)->hospital_id;
    return NULL;
}

static struct turns *turns_of(const struct backend *backend, const struct backend_method *method)
{
    return backend->turns[method->peer][method->lists ? LISTS : CALLS];
}

/* Calls the closure and ends the turn. Reads the turn's data first, because the closure may free the call. */
static void finish(struct backend_call *call, const ProtobufCMessage *response)
{
    struct turns *turns = turns_of(call->backend, call->method);
    uint64_t source = call->turn.item.source;
    call->closure(response, call);
    turns_end(turns, source);
}

static void write_answer(struct answer *answer)
{
    struct backend_call *call = container_of(answer, struct backend_call, answer);
    finish(call, call->response);
}

static bool is_large(const ProtobufCMessage *response)
{
    const ProtobufCMessageDescriptor *descriptor = response->descriptor;
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
        if (field->label == PROTOBUF_C_LABEL_REPEATED &&
            *(const size_t *)(const void *)((const char *)response + field->quantifier_offset) >
                ELEMENTS_SMALL)
            return true;
    }
    return false;
}

static void on_answer(const ProtobufCMessage *response, void *data)
{
    struct backend_call *call = container_of(data, struct backend_call, rpc);
    if (response == NULL || !is_large(response)) {
        finish(call, response);
        return;
    }
    call->response = response;
    call->answer = (struct answer){.item.source = call->turn.item.source, .write = write_answer};
    answers_put(call->backend->answers, &call->answer);
}

/* Refuses the call for overload. */
static void refuse(struct backend_call *call, const char *why)
{
    call->rpc.left = false;
    (void)error_set(&call->rpc.error, STATUS_RESOURCE_EXHAUSTED, SCREENING_REASON_OVERLOADED, "%s", why);
    call->rpc.error.retry_after_ms = TURN_RETRY_AFTER_MS;
}

/*
 * Begins the call. If the call waited for its turn, subtracts the wait from its budget. A client may have let
 * many lists wait and may read none of them, so only their turns show whether there is room for the answers.
 */
static void begin(struct turn *turn)
{
    struct backend_call *call = container_of(turn, struct backend_call, turn);
    ProtobufCService *service = rpc_client_service(call->backend->clients[call->method->client]);
    if (call->method->lists && !http_reserve_answer(call->http)) {
        refuse(call, "too many answers wait to be read");
        finish(call, NULL);
        return;
    }
    if (turn->waited) {
        int64_t left_ms = (turn->deadline_ns - clock_monotonic_ns()) / NS_PER_MS;
        call->rpc.timeout_ms = left_ms > 1 ? (uint32_t)left_ms : 1;
    }
    service->invoke(service, call->method->index, call->request, on_answer, &call->rpc);
}

static void give_up(struct turn *turn)
{
    struct backend_call *call = container_of(turn, struct backend_call, turn);
    refuse(call, "too many calls wait");
    call->closure(NULL, call);
}

void backend_call(struct backend *backend, const struct backend_method *method, ProtobufCMessage *request,
                  ProtobufCClosure closure, struct backend_call *call)
{
    char **creation = creation_id(request);
    if (creation != NULL && (*creation)[0] == '\0') {
        struct uuid made = uuid_v7();
        *creation = uuid_format(&made, call->id);
    }
    const char *client = call->rpc.client_address;
    call->rpc.idempotent = method->idempotent || creation != NULL; /* a creation with an id is idempotent */
    call->backend = backend;
    call->method = method;
    call->request = request;
    call->closure = closure;
    call->turn = (struct turn){
        .item.source = client != NULL ? digest_address(client) : 0,
        .deadline_ns = clock_monotonic_ns() + (int64_t)call->rpc.timeout_ms * NS_PER_MS,
        .begin = begin,
        .give_up = give_up,
    };
    turns_take(turns_of(backend, method), &call->turn);
}
