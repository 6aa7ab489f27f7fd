#include "client.h"

#include "message.h"
#include "methods.h"
#include "patience.h"
#include "probe.h"
#include "rules.h"

#include <stdio.h>
#include <string.h>

#include "base/uuid.h"

#include "screening/v1/booking.pb-c.h"
#include "screening/v1/hospital.pb-c.h"

/* Every call may be retried, because a creation carries its id. The user's --timeout limits the retries. */
static const struct retry_options RETRY = {.percent = 100, .min_per_s = 10};

/* Reports a wrong port immediately. The channel would only keep retrying. */
static enum status check_listener(const struct session *session, enum peer_name peer, struct error *error)
{
    enum { PROBE_MS = 300 };
    const char *address = session->addresses[peer], *program = PEERS[peer].program;
    switch (probe(address, session->timeout_ms < PROBE_MS ? session->timeout_ms : PROBE_MS)) {
    case PROBE_EVENTS:
        return error_set(error, STATUS_UNAVAILABLE, NULL,
                         _("%s is a port for events; %s answers calls on another (default %s)"), address,
                         program, PEERS[peer].address);
    case PROBE_OTHER:
        return error_set(error, STATUS_UNAVAILABLE, NULL,
                         _("something listens at %s, but it is no %s (default %s)"), address, program,
                         PEERS[peer].address);
    case PROBE_NOBODY:
    case PROBE_CALLS:
    case PROBE_SILENT:
        break;
    }
    return STATUS_OK;
}

enum status client_connect(struct session *session, enum peer_name peer, struct error *error)
{
    if (session->channels[peer] != NULL)
        return STATUS_OK;
    if (check_listener(session, peer, error) != STATUS_OK)
        return error->status;
    const struct rpc_channel_options options = {
        .address = session->addresses[peer], .connect_now = true, .retry = RETRY};
    enum status status = rpc_channel_open(&options, &session->channels[peer], error);
    if (status == STATUS_UNAVAILABLE) {
        error_set(error, status, NULL, _("no %s at %s: start it with \"%s --rpc-listen %s%s\""),
                  PEERS[peer].program, options.address, PEERS[peer].program, options.address,
                  PEERS[peer].must_have);
    }
    return status;
}

/* Returns the id field of a creation, or NULL for every other request. */
static char **creation_id(ProtobufCMessage *request)
{
    if (request->descriptor == &screening__v1__create_booking_request__descriptor)
        return &((Screening__V1__CreateBookingRequest *)request)->booking_id;
    if (request->descriptor == &screening__v1__register_hospital_request__descriptor)
        return &((Screening__V1__RegisterHospitalRequest *)request)->hospital_id;
    return NULL;
}

static enum status fill_in_id(struct session *session, ProtobufCMessage *request, struct error *error)
{
    char **id = creation_id(request);
    if (id == NULL || (*id)[0] != '\0')
        return STATUS_OK;
    struct uuid made = uuid_v7();
    char *text = arena_alloc(&session->arena, UUID_TEXT_SIZE);
    if (text == NULL)
        return client_no_memory(error);
    *id = uuid_format(&made, text);
    return STATUS_OK;
}

/* Makes a call. The channel must be connected. */
static enum status call_connected(struct session *session, enum peer_name peer, const char *method_name,
                                  ProtobufCMessage *request, ProtobufCMessage **response, struct error *error)
{
    const ProtobufCMethodDescriptor *method;
    const struct method_service *service = method_find(method_name, &method);
    struct rpc_client *client = rpc_client_create(session->channels[peer], service->descriptor);
    if (client == NULL)
        return client_no_memory(error);
    struct rpc_client_call call = {.timeout_ms = session->timeout_ms, .idempotent = true};
    enum status status =
        rpc_client_call_wait(client, method->name, request, &call, &session->arena, response);
    *error = call.error;
    rpc_client_destroy(client);
    return status;
}

void *client_call_at(struct session *session, enum peer_name peer, const char *method,
                     ProtobufCMessage *request, struct error *error)
{
    ProtobufCMessage *response = NULL;
    if (fill_in_id(session, request, error) != STATUS_OK)
        return NULL;
    patience_begin(PEERS[peer].program);
    enum status status = client_connect(session, peer, error);
    bool connected = status == STATUS_OK;
    if (connected)
        status = call_connected(session, peer, method, request, &response, error);
    patience_end();
    if (!connected)
        return NULL; /* the request was never sent, so its id does not matter */
    if (status == STATUS_UNIMPLEMENTED) {
        error_set(error, status, error->reason, _("%s; is %s the address of %s?"), error->message,
                  session->addresses[peer], PEERS[peer].program);
    }
    char **id = creation_id(request);
    if (status_is_transient(status) && id != NULL)
        error_set(error, status, error->reason, _("%s; ask again with the id %s"), error->message, *id);
    return status == STATUS_OK ? response : NULL;
}

void *client_call(struct session *session, const char *method, ProtobufCMessage *request, struct error *error)
{
    const ProtobufCMethodDescriptor *found;
    return client_call_at(session, method_only_peer(method_find(method, &found)), method, request, error);
}

static void *or_fail(void *response, const struct error *error)
{
    if (response == NULL)
        client_fail(error);
    return response;
}

void *client_ask(struct session *session, const char *method, ProtobufCMessage *request)
{
    struct error error;
    return or_fail(client_call(session, method, request, &error), &error);
}

void *client_ask_at(struct session *session, enum peer_name peer, const char *method,
                    ProtobufCMessage *request)
{
    struct error error;
    return or_fail(client_call_at(session, peer, method, request, &error), &error);
}

enum status client_no_memory(struct error *error)
{
    return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, _("out of memory"));
}

int client_fail_memory(void)
{
    struct error error;
    client_no_memory(&error);
    return client_fail(&error);
}

int client_fail_more(const struct error *error, const char *more)
{
    const char *word = error->reason[0] != '\0' ? error->reason : status_name(error->status);
    struct arena arena;
    arena_init(&arena);
    const char *rule = rule_shown(&arena, error->message);
    const char *told = message(word);
    bool translated = rule == NULL && told != word;
    fprintf(stderr, "screenctl: %s%s%s: %s%s%s%s%s%s\n", status_name(error->status),
            error->reason[0] != '\0' ? " " : "", error->reason, translated ? told : "",
            translated ? " (" : "", rule != NULL ? rule : error->message, translated ? ")" : "",
            more != NULL ? "; " : "", more != NULL ? more : "");
    arena_fini(&arena);
    return EXIT_FAILED;
}

int client_fail(const struct error *error)
{
    return client_fail_more(error, NULL);
}
