#include "events/publisher.h"

#include <nng/nng.h>
#include <nng/protocol/pubsub0/pub.h>
#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "base/fault_point.h"
#include "base/log.h"
#include "base/metrics.h"
#include "events/event_text.h"
#include "events/fetch_server.h"
#include "nng/stuck_reaper.h"

enum {
    HEARTBEAT_MS_DEFAULT = 500,
    BATCH_MAX_BYTES_DEFAULT = 256 * 1024,
    /* 1 MiB minus room for the envelope and the response's other fields. */
    FETCH_MAX_BYTES_DEFAULT = 1024 * 1024 - 4096,
    LONG_POLLS_MAX_DEFAULT = 64,
    /*
     * The maximum number of messages queued for a slow subscriber, which bounds the memory. The subscriber
     * fetches the events of dropped messages.
     */
    SEND_QUEUE_MESSAGES = 128,
    /* Subscribers send nothing, so a small limit is enough. */
    RECEIVE_MAX_BYTES = 4096,
};

struct event_publisher {
    Screening__V1__EventLogService_Service service;
    char *topic;
    size_t batch_max_bytes;
    nng_socket socket;
    struct fetch_server *fetches;
};

static struct metric published_total =
    METRIC("events_batches_published_total", "Batches sent to subscribers");
static struct metric too_large_total =
    METRIC("events_batches_too_large_total", "Batches left to Fetch because of their size");

static void serve_fetch(Screening__V1__EventLogService_Service *service,
                        const Screening__V1__FetchRequest *request,
                        Screening__V1__FetchResponse_Closure closure, void *closure_data)
{
    (void)closure; /* rpc_call_reply sends the reply instead */
    struct event_publisher *publisher = container_of(service, struct event_publisher, service);
    fetch_server_submit(publisher->fetches, closure_data, request);
}

/*
 * Sends the topic, a line feed and `size` bytes. A failure is ignored, because pub/sub may lose any message.
 */
static void send_message(struct event_publisher *publisher, const uint8_t *bytes, size_t size)
{
    nng_msg *message;
    size_t topic_size = strlen(publisher->topic);
    if (nng_msg_alloc(&message, topic_size + 1 + size) != 0)
        return;
    uint8_t *body = nng_msg_body(message);
    memcpy(body, publisher->topic, topic_size);
    body[topic_size] = '\n';
    memcpy(body + topic_size + 1, bytes, size);
    if (nng_sendmsg(publisher->socket, message, NNG_FLAG_NONBLOCK) != 0)
        nng_msg_free(message);
}

static void send_heartbeat(void *context, const struct event_head *head)
{
    enum { HEARTBEAT_MAX_BYTES = 128 }; /* two ids, two numbers and their tags */
    char log_id[UUID_TEXT_SIZE];
    char event_id[UUID_TEXT_SIZE];
    uint8_t packed[HEARTBEAT_MAX_BYTES];
    Screening__V1__EventBatch batch = SCREENING__V1__EVENT_BATCH__INIT;
    batch.log_id = uuid_format(&head->log_id, log_id);
    batch.head_seq = head->seq;
    batch.prev_event_id = event_id_format(&head->event_id, event_id);
    batch.era = (uint64_t)head->era;
    send_message(context, packed, screening__v1__event_batch__pack(&batch, packed));
}

void event_publisher_publish(struct event_publisher *publisher, const uint8_t *batch, size_t size)
{
    bool fits = size <= publisher->batch_max_bytes;
    if (fits && FAULT_STATUS("events.before_publish", NULL) == STATUS_OK)
        send_message(publisher, batch, size);
    metric_add(fits ? &published_total : &too_large_total, 1);
    fetch_server_wake(publisher->fetches, !fits);
}

static enum status listen_failed(const char *address, int failure, struct error *error)
{
    if (failure == NNG_ENOMEM)
        return error_no_memory(error);
    return error_invalid(error, "events-listen: %s: %s", address, nng_strerror(failure));
}

static enum status open_socket(const char *address, nng_socket *out, struct error *error)
{
    nng_socket socket;
    int failure = nng_pub0_open(&socket);
    if (failure != 0)
        return listen_failed(address, failure, error);
    failure = nng_socket_set_int(socket, NNG_OPT_SENDBUF, SEND_QUEUE_MESSAGES);
    if (failure == 0)
        failure = nng_socket_set_size(socket, NNG_OPT_RECVMAXSZ, RECEIVE_MAX_BYTES);
    if (failure == 0)
        failure = nng_listen(socket, address, NULL, 0);
    if (failure != 0) {
        nng_close(socket);
        return listen_failed(address, failure, error);
    }
    *out = socket;
    return STATUS_OK;
}

static struct fetch_server *create_fetch_server(struct event_publisher *publisher,
                                                const struct event_publisher_options *options)
{
    const struct fetch_server_options fetch_options = {
        .heartbeat_ms = options->heartbeat_ms > 0 ? options->heartbeat_ms : HEARTBEAT_MS_DEFAULT,
        .response_max_bytes =
            options->fetch_max_bytes > 0 ? options->fetch_max_bytes : FETCH_MAX_BYTES_DEFAULT,
        .long_polls_max = options->long_polls_max > 0 ? options->long_polls_max : LONG_POLLS_MAX_DEFAULT,
        .heartbeat = send_heartbeat,
        .context = publisher,
    };
    return fetch_server_create(&fetch_options);
}

enum status event_publisher_open(const struct event_publisher_options *options, struct event_publisher **out,
                                 struct error *error)
{
    struct event_publisher *publisher = calloc(1, sizeof *publisher);
    if (publisher == NULL)
        return error_no_memory(error);
    publisher->service =
        (Screening__V1__EventLogService_Service)SCREENING__V1__EVENT_LOG_SERVICE__INIT(serve_);
    publisher->batch_max_bytes =
        options->batch_max_bytes > 0 ? options->batch_max_bytes : BATCH_MAX_BYTES_DEFAULT;
    publisher->topic = strdup(options->topic);
    publisher->fetches = create_fetch_server(publisher, options);
    enum status status = STATUS_OK;
    if (publisher->topic == NULL || publisher->fetches == NULL)
        status = error_no_memory(error);
    if (status == STATUS_OK)
        status = open_socket(options->address, &publisher->socket, error);
    if (status != STATUS_OK)
        goto failed;
    metric_register(&published_total);
    metric_register(&too_large_total);
    *out = publisher;
    return STATUS_OK;

failed:
    fetch_server_destroy(publisher->fetches);
    free(publisher->topic);
    free(publisher);
    return status;
}

ProtobufCService *event_publisher_service(struct event_publisher *publisher)
{
    return &publisher->service.base;
}

enum status event_publisher_start(struct event_publisher *publisher, const char *database_url,
                                  struct error *error)
{
    return fetch_server_start(publisher->fetches, database_url, error);
}

void event_publisher_drain(struct event_publisher *publisher)
{
    fetch_server_drain(publisher->fetches);
}

void event_publisher_close(struct event_publisher *publisher)
{
    if (publisher == NULL)
        return;
    fetch_server_destroy(publisher->fetches);
    (void)socket_close(publisher->socket); /* a failure is harmless, because the socket has no callbacks */
    free(publisher->topic);
    free(publisher);
}
