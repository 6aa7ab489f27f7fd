#include "played_backend_testing.h"

#include "grpc_streams.h"
#include "http_mapping.h"
#include "live.h"

#include <string.h>

#include "base/check.h"

#include "screening/v1/booking.pb-c.h"
#include "screening/v1/history.pb-c.h"
#include "screening/v1/hospital.pb-c.h"

enum { METHODS_MAX = 64, OPEN_MAX = 256 };

struct backend {
    struct backend_method methods[METHODS_MAX];
    size_t method_count;
};

struct waiting {
    struct backend_call *call;
    ProtobufCClosure closure;
    const ProtobufCMessageDescriptor *output;
};

static struct backend backend;
static enum played_answer kind;
static bool answers_later;
static unsigned errors; /* number of the next error */
static struct waiting waiting[OPEN_MAX];
static size_t waiting_count;
static struct http_stream *streams[OPEN_MAX];
static size_t stream_count;

/* ---- backend.h ---- */

static void list_methods(void)
{
    static const ProtobufCServiceDescriptor *const services[] = {&screening__v1__hospital_service__descriptor,
                                                                 &screening__v1__booking_service__descriptor,
                                                                 &screening__v1__history_service__descriptor};
    for (size_t s = 0; s < sizeof services / sizeof services[0]; s++) {
        for (unsigned m = 0; m < services[s]->n_methods; m++) {
            const ProtobufCMethodDescriptor *method = &services[s]->methods[m];
            bool reads = strncmp(method->name, "Get", strlen("Get")) == 0 ||
                         strncmp(method->name, "List", strlen("List")) == 0;
            if (!http_is_public(services[s], method))
                continue;
            CHECK(backend.method_count < METHODS_MAX);
            backend.methods[backend.method_count++] = (struct backend_method){
                .service = services[s],
                .method = method,
                .index = m,
                .lists = protobuf_c_message_descriptor_get_field_by_name(method->input, "page_token") != NULL,
                .no_side_effects = reads,
                .idempotent = reads,
            };
        }
    }
}

const struct backend_method *backend_find(const struct backend *of, const char *service,
                                          size_t service_length, const char *method)
{
    for (size_t i = 0; i < of->method_count; i++)
        if (strlen(of->methods[i].service->name) == service_length &&
            memcmp(of->methods[i].service->name, service, service_length) == 0 &&
            strcmp(of->methods[i].method->name, method) == 0)
            return &of->methods[i];
    return NULL;
}

const struct backend_method *backend_methods(const struct backend *of, size_t *count)
{
    *count = of->method_count;
    return of->methods;
}

static const ProtobufCMessage *make_error(struct error *error)
{
    enum { RETRY_AFTER_MS = 1500 };
    errors++;
    (void)error_set(error, (enum status)(1 + errors % (STATUS_COUNT - 1)), errors % 2 == 0 ? "" : "SOLD_OUT",
                    "played: 100 %% of them, \xed\x95\x9c\n");
    error->retry_after_ms = errors % 3 == 0 ? RETRY_AFTER_MS : 0;
    return NULL;
}

static void answer(const struct waiting *one)
{
    struct rpc_client_call *rpc = &one->call->rpc;
    const ProtobufCMessageDescriptor *output = one->output;
    ProtobufCMessage *message =
        kind == PLAYED_MESSAGE ? arena_alloc(rpc->into, output->sizeof_message) : NULL;
    if (message != NULL)
        protobuf_c_message_init(output, message);
    one->closure(message != NULL ? message : make_error(&rpc->error), one->call);
}

void backend_call(struct backend *of, const struct backend_method *method, ProtobufCMessage *request,
                  ProtobufCClosure closure, struct backend_call *call)
{
    const struct waiting one = {.call = call, .closure = closure, .output = method->method->output};
    CHECK(of == &backend && request->descriptor == method->method->input);
    CHECK(call->rpc.timeout_ms > 0 && call->rpc.into != NULL);
    if (answers_later) {
        CHECK(waiting_count < OPEN_MAX);
        waiting[waiting_count++] = one;
    } else {
        answer(&one);
    }
}

/* ---- live.h ---- */

static void forget_stream(void *context)
{
    struct http_stream **const place = context;
    CHECK(stream_count > 0 && *place != NULL);
    *place = NULL;
    stream_count--;
}

void live_handle(struct live *live, struct http_request *request)
{
    static const char hello[] = ": played\n\n";
    (void)live;
    size_t place = 0;
    while (streams[place] != NULL)
        place++;
    CHECK(place < OPEN_MAX);
    struct http_stream *stream =
        http_stream_open(request, "text/event-stream", forget_stream, &streams[place]);
    if (stream == NULL)
        return;
    streams[place] = stream;
    stream_count++;
    (void)http_stream_write(stream, hello, strlen(hello));
}

/* ---- for the fuzzers ---- */

static const char *not_ready(void *context)
{
    (void)context;
    return kind == PLAYED_ERROR ? "played" : NULL;
}

struct gateway *played_gateway(void)
{
    static struct gateway gateway = {
        .backend = &backend,
        .default_timeout_ms = 2000,
        .timeout_max_ms = 60000,
        .cors_origin = "https://clinic.example",
        .not_ready = not_ready,
    };
    struct error error;
    if (gateway.grpc_streams == NULL) {
        list_methods();
        enum status status = grpc_streams_open(&backend, &gateway.grpc_streams, &error);
        CHECK(status == STATUS_OK);
    }
    return &gateway;
}

void played_backend_begin(enum played_answer answer_kind, bool later, size_t first)
{
    CHECK(played_backend_open() == 0);
    kind = answer_kind;
    answers_later = later;
    errors = (unsigned)first;
}

static void continue_stream(struct http_stream *stream, size_t turn)
{
    static const char bytes[HTTP_STREAM_MAX + 1] = {0};
    enum { FEW = 3000, WAYS = 3 };
    if (!http_stream_write(stream, bytes, FEW))
        return;
    if (turn % WAYS == 0)
        http_stream_end(stream);
    else if (turn % WAYS == 1)
        CHECK(!http_stream_write(stream, bytes, sizeof bytes)); /* more than a listener may leave unread */
}

void played_backend_go_on(void)
{
    for (size_t i = 0; i < waiting_count; i++)
        answer(&waiting[i]);
    waiting_count = 0;
    size_t turn = 0;
    for (size_t place = 0; place < OPEN_MAX && turn < stream_count; place++)
        if (streams[place] != NULL)
            continue_stream(streams[place], turn++);
    grpc_streams_look(played_gateway()->grpc_streams, not_ready(NULL) == NULL);
}

size_t played_backend_open(void)
{
    return waiting_count + stream_count + played_gateway()->grpc_streams->count;
}
