/*
 * Fuzzes gRPC from the head and the body of a request to its answer, which must be a valid one of gRPC. An
 * input consists of a byte of enum option, a path, lines with further fields of the head, an empty line, and
 * the body. A client of libnghttp2 sends the request to the HTTP server with played services.
 */
#include "played_backend_testing.h"
#include "played_server_testing.h"
#include "played_socket_testing.h"

#include <ctype.h>
#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"

enum option {
    ANSWERS_LATER = 1,
    ANSWERS_ERRORS = 2,
    IN_PIECES = 4,    /* the body comes in frames of a few bytes */
    NEVER_ENDS = 8,   /* the request does not end */
    TIME_PASSES = 16, /* all deadlines pass before the client leaves */
    NO_TYPE = 32,     /* without the usual Content-Type, so that the input can have its own */
};

enum { FIELDS_MAX = 40, PIECE_BYTES = 7, PREFIX_SIZE = 5, OUT_MAX = 262144, STATUS_MAX = 16 };

struct call {
    nghttp2_session *session;
    unsigned options;
    const uint8_t *body;
    size_t body_size;
    bool closed, is_grpc;
    bool watches; /* whether the method is Watch, whose answer ends only with the connection */
    uint32_t error_code;
    int code;          /* of HTTP */
    unsigned statuses; /* number of grpc-status fields */
    uint8_t prefix[PREFIX_SIZE];
    size_t prefix_size, message_left; /* of the message that is being received */
    size_t body_received;
};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* ---- the answer ---- */

static bool is(const char *wanted, const uint8_t *name, size_t size)
{
    return strlen(wanted) == size && memcmp(wanted, name, size) == 0;
}

static void check_status(const uint8_t *value, size_t size)
{
    CHECK(size == 1 || size == 2);
    int status = 0;
    for (size_t i = 0; i < size; i++) {
        CHECK(isdigit(value[i]));
        status = 10 * status + value[i] - '0';
    }
    CHECK(status <= STATUS_MAX);
}

static void check_message(const uint8_t *value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        CHECK(value[i] >= ' ' && value[i] <= '~');
        CHECK(value[i] != '%' || (i + 2 < size && isxdigit(value[i + 1]) && isxdigit(value[i + 2])));
    }
}

static int on_field(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                    size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags, void *context)
{
    struct call *call = context;
    (void)session, (void)frame, (void)flags;
    if (is(":status", name, name_size)) {
        call->code = (int)strtol((const char *)value, NULL, 10);
    } else if (is("content-type", name, name_size)) {
        call->is_grpc = is("application/grpc", value, value_size);
    } else if (is("grpc-status", name, name_size)) {
        check_status(value, value_size);
        call->statuses++;
    } else if (is("grpc-message", name, name_size)) {
        check_message(value, value_size);
    }
    return 0;
}

/* Reads the messages of the body as they come. None may be compressed. */
static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *bytes,
                   size_t size, void *context)
{
    struct call *call = context;
    (void)session, (void)flags, (void)stream_id;
    call->body_received += size;
    for (; size > 0; bytes++, size--) {
        if (call->message_left > 0) {
            call->message_left--;
            continue;
        }
        call->prefix[call->prefix_size++] = *bytes;
        if (call->prefix_size < PREFIX_SIZE)
            continue;
        const uint8_t *prefix = call->prefix;
        call->message_left =
            (size_t)prefix[1] << 24 | (size_t)prefix[2] << 16 | (size_t)prefix[3] << 8 | prefix[4];
        CHECK(!call->is_grpc || prefix[0] == 0);
        call->prefix_size = 0;
    }
    return 0;
}

static int on_close(nghttp2_session *session, int32_t stream_id, uint32_t error_code, void *context)
{
    struct call *call = context;
    (void)session, (void)stream_id;
    call->closed = true;
    call->error_code = error_code;
    return 0;
}

static void check_answer(const struct call *call)
{
    if (!call->closed || call->error_code != NGHTTP2_NO_ERROR)
        return;
    CHECK(call->code >= 200 && call->code < 600);
    if (!call->is_grpc)
        return;
    CHECK(call->code == 200 && call->statuses == 1);
    CHECK(call->prefix_size == 0 && call->message_left == 0);
}

static void receive(void *context, const uint8_t *bytes, size_t size)
{
    const struct call *call = context;
    CHECK(nghttp2_session_mem_recv(call->session, bytes, size) == (ssize_t)size);
}

/* ---- the request ---- */

static ssize_t read_body(nghttp2_session *session, int32_t stream_id, uint8_t *out, size_t max,
                         uint32_t *flags, nghttp2_data_source *source, void *context)
{
    struct call *call = context;
    (void)session, (void)stream_id, (void)source;
    if (call->body_size == 0 && (call->options & NEVER_ENDS) != 0)
        return NGHTTP2_ERR_DEFERRED;
    size_t size = call->body_size < max ? call->body_size : max;
    if ((call->options & IN_PIECES) != 0 && size > PIECE_BYTES)
        size = PIECE_BYTES;
    memcpy(out, call->body, size);
    call->body += size;
    call->body_size -= size;
    if (call->body_size == 0 && (call->options & NEVER_ENDS) == 0)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)size;
}

static nghttp2_nv nv(const char *name, size_t name_size, const char *value, size_t value_size)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, name_size, value_size,
                        NGHTTP2_NV_FLAG_NONE};
}

static nghttp2_nv nv_of(const char *name, const char *value)
{
    return nv(name, strlen(name), value, strlen(value));
}

/* Takes a line from the text, without its end. */
static const char *take_line(const char **text, size_t *left, size_t *size)
{
    const char *line = *text, *end = memchr(line, '\n', *left);
    *size = end != NULL ? (size_t)(end - line) : *left;
    size_t taken = end != NULL ? *size + 1 : *size;
    *text += taken;
    *left -= taken;
    return line;
}

/* Submits the request of an input. */
static void submit(struct call *call, const char *text, size_t left)
{
    nghttp2_nv fields[FIELDS_MAX];
    size_t count = 0, size;
    static const char WATCH[] = "/grpc.health.v1.Health/Watch";
    const char *line = take_line(&text, &left, &size);
    const char *query = memchr(line, '?', size); /* the gateway ignores it */
    call->watches = is(WATCH, (const uint8_t *)line, query != NULL ? (size_t)(query - line) : size);
    fields[count++] = nv_of(":method", "POST");
    fields[count++] = nv_of(":scheme", "http");
    fields[count++] = nv_of(":authority", "localhost");
    fields[count++] = nv(":path", strlen(":path"), line, size);
    fields[count++] = nv_of("te", "trailers");
    if ((call->options & NO_TYPE) == 0)
        fields[count++] = nv_of("content-type", "application/grpc");
    while (left > 0 && count < FIELDS_MAX) {
        line = take_line(&text, &left, &size);
        const char *colon = memchr(line, ':', size);
        if (size == 0)
            break;
        if (colon == NULL || colon == line)
            continue;
        size_t name_size = (size_t)(colon - line), value_at = name_size + 1;
        while (value_at < size && line[value_at] == ' ')
            value_at++;
        fields[count++] = nv(line, name_size, line + value_at, size - value_at);
    }
    call->body = (const uint8_t *)text;
    call->body_size = left;
    const nghttp2_data_provider body = {.read_callback = read_body};
    bool has_body = left > 0 || (call->options & NEVER_ENDS) != 0;
    int32_t id = nghttp2_submit_request(call->session, NULL, fields, count, has_body ? &body : NULL, NULL);
    CHECK(id > 0);
}

/* Sends what the client has, until it has no more. */
static void pump(const struct call *call)
{
    static uint8_t out[OUT_MAX];
    for (;;) {
        const uint8_t *bytes;
        size_t used = 0;
        ssize_t size;
        while (used < OUT_MAX / 2 && (size = nghttp2_session_mem_send(call->session, &bytes)) > 0) {
            memcpy(out + used, bytes, (size_t)size);
            used += (size_t)size;
        }
        if (used == 0)
            return;
        played_send(out, used);
    }
}

static nghttp2_session_callbacks *callbacks;

/* Plays an input from the connection to its end. */
static void play(struct call *call, const uint8_t *input, size_t size)
{
    enum { ALL_MS = 120000 };
    const struct played_client client = {.receive = receive, .context = call};
    *call = (struct call){.options = input[0]};
    int failed = nghttp2_session_client_new(&call->session, callbacks, call);
    CHECK(failed == 0);
    failed = nghttp2_submit_settings(call->session, NGHTTP2_FLAG_NONE, NULL, 0);
    CHECK(failed == 0);
    played_backend_begin((call->options & ANSWERS_ERRORS) != 0 ? PLAYED_ERROR : PLAYED_MESSAGE,
                         (call->options & ANSWERS_LATER) != 0, size);
    played_connect(&client);
    submit(call, (const char *)input + 1, size - 1);
    pump(call);
    played_backend_go_on();
    played_settle();
    pump(call);
    if ((call->options & TIME_PASSES) != 0)
        played_pass_time(ALL_MS);
    CHECK(call->closed || played_is_closed() || (call->options & NEVER_ENDS) != 0 || call->watches);
    check_answer(call);
    played_disconnect(false);
    played_server_check_idle();
    nghttp2_session_del(call->session);
}

/* Opens the server. A valid call must succeed, because otherwise the fuzzer would test next to nothing. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const uint8_t valid[] = "\0/grpc.health.v1.Health/Check\n\n\0\0\0\0";
    struct call call;
    (void)argc, (void)argv;
    int failed = nghttp2_session_callbacks_new(&callbacks);
    CHECK(failed == 0);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_field);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    played_server_open();
    play(&call, valid, sizeof valid);
    CHECK(call.code == 200 && call.statuses == 1 && call.body_received > PREFIX_SIZE);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct call call;
    if (size > 1)
        play(&call, bytes, size);
    return 0;
}
