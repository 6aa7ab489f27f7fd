#include "client.h"

#include "message.h"
#include "methods.h"
#include "patience.h"
#include "probe.h"
#include "rules.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/address_list.h"
#include "base/clock.h"
#include "base/uuid.h"
#include "nng/tls.h"

#include "screening/v1/booking.pb-c.h"
#include "screening/v1/hospital.pb-c.h"
#include "screening/v1/words.h"

/* Every call may be retried, because creations contain an id. The user's --timeout limits the retries. */
static const struct retry_options RETRY = {.percent = 100, .min_per_s = 10};

/*
 * Returns UNAVAILABLE if something other than an RPC server answers at the address, because a channel would
 * only keep retrying.
 */
static enum status check_listener(const struct session *session, enum peer_name peer, struct error *error)
{
    enum { PROBE_MS = 300 };
    const char *address = session->addresses[peer], *program = PEERS[peer].program;
    if (tls_is_address(address) || strchr(address, ',') != NULL) /* of several, one may serve */
        return STATUS_OK;
    switch (probe(address, session->timeout_ms < PROBE_MS ? session->timeout_ms : PROBE_MS)) {
    case PROBE_EVENTS:
        return error_set(error, STATUS_UNAVAILABLE, NULL,
                         _("%s is an event port; %s answers calls on another port (default %s)"), address,
                         program, PEERS[peer].address);
    case PROBE_OTHER:
        return error_set(error, STATUS_UNAVAILABLE, NULL, _("the program at %s is not %s (default %s)"),
                         address, program, PEERS[peer].address);
    case PROBE_NOBODY:
    case PROBE_CALLS:
    case PROBE_SILENT:
        break;
    }
    return STATUS_OK;
}

/* Returns whether one of the addresses is for TLS. */
static bool has_tls(const char *addresses)
{
    struct address_list list;
    if (address_list_parse(addresses, ADDRESS_TCP | ADDRESS_TLS | ADDRESS_IPC, &list, NULL) != STATUS_OK)
        return false; /* options.c allows nothing else */
    for (size_t i = 0; i < list.count; i++)
        if (list.items[i].scheme == ADDRESS_TLS)
            return true;
    return false;
}

static enum status check_tls(const struct session *session, const char *addresses, struct error *error)
{
    if (!has_tls(addresses))
        return STATUS_OK;
    if (session->tls_ca == NULL)
        return error_invalid(error, _("--tls-ca: must be given, because %s uses TLS"), addresses);
    if (access(session->tls_ca, R_OK) != 0)
        return error_invalid(error, "--tls-ca %s: %s", session->tls_ca, strerror(errno));
    return STATUS_OK;
}

static enum status explain_unavailable(const struct session *session, enum peer_name peer,
                                       struct error *error)
{
    const char *address = session->addresses[peer], *program = PEERS[peer].program;
    if (has_tls(address))
        return error_set(error, STATUS_UNAVAILABLE, NULL,
                         _("no TLS connection to %s at %s: check the address, and that its certificate is of "
                           "an authority in --tls-ca %s"),
                         program, address, session->tls_ca);
    return error_set(error, STATUS_UNAVAILABLE, NULL,
                     _("no %s at %s: start it with \"%s --rpc-listen %.*s%s\""), program, address, program,
                     (int)strcspn(address, ","), address, PEERS[peer].must_have);
}

enum status client_connect(struct session *session, enum peer_name peer, struct error *error)
{
    if (session->channels[peer] != NULL)
        return STATUS_OK;
    TRY(check_tls(session, session->addresses[peer], error));
    TRY(check_listener(session, peer, error));
    const struct rpc_channel_options options = {.address = session->addresses[peer],
                                                .connect_now = true,
                                                .retry = RETRY,
                                                .tls_ca = session->tls_ca,
                                                .tls_name = PEERS[peer].program};
    enum status status = rpc_channel_open(&options, &session->channels[peer], error);
    return status == STATUS_UNAVAILABLE ? explain_unavailable(session, peer, error) : status;
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
                                  const char *authorization, ProtobufCMessage *request,
                                  ProtobufCMessage **response, struct error *error)
{
    const ProtobufCMethodDescriptor *method;
    const struct method_service *service = method_find(method_name, &method);
    struct rpc_client *client = rpc_client_create(session->channels[peer], service->descriptor);
    if (client == NULL)
        return client_no_memory(error);
    struct rpc_client_call call = {
        .timeout_ms = session->timeout_ms, .authorization = authorization, .idempotent = true};
    enum status status =
        rpc_client_call_wait(client, method->name, request, &call, &session->arena, response);
    *error = call.error;
    rpc_client_destroy(client);
    return status;
}

/*
 * Makes a call, and makes it again when the server allows more calls of this caller. Such a call was not
 * executed. All waits together take at most as long as a call may.
 */
static enum status call_patiently(struct session *session, enum peer_name peer, const char *method,
                                  const char *authorization, ProtobufCMessage *request,
                                  ProtobufCMessage **response, struct error *error)
{
    for (uint32_t waited_ms = 0;;) {
        enum status status = call_connected(session, peer, method, authorization, request, response, error);
        uint32_t wait_ms = error->retry_after_ms > 0 ? error->retry_after_ms : 1;
        if (status != STATUS_RESOURCE_EXHAUSTED ||
            strcmp(error->reason, SCREENING_REASON_TOO_MANY_CALLS) != 0 ||
            wait_ms > session->timeout_ms - waited_ms)
            return status;
        const struct timespec pause = {.tv_sec = wait_ms / MS_PER_S,
                                       .tv_nsec = (long)(wait_ms % MS_PER_S) * NS_PER_MS};
        (void)nanosleep(&pause, NULL);
        waited_ms += wait_ms;
    }
}

void *client_call_at(struct session *session, enum peer_name peer, const char *method,
                     ProtobufCMessage *request, struct error *error)
{
    ProtobufCMessage *response = NULL;
    char *authorization;
    if (fill_in_id(session, request, error) != STATUS_OK ||
        session_authorization(session, &authorization, error) != STATUS_OK)
        return NULL;
    patience_begin(PEERS[peer].program);
    enum status status = client_connect(session, peer, error);
    bool connected = status == STATUS_OK;
    if (connected)
        status = call_patiently(session, peer, method, authorization, request, &response, error);
    patience_end();
    token_file_free(authorization);
    if (!connected)
        return NULL; /* the request was never sent, so its id does not matter */
    if (status == STATUS_UNIMPLEMENTED) {
        error_set(error, status, error->reason, _("%s; is %s the address of %s?"), error->message,
                  session->addresses[peer], PEERS[peer].program);
    }
    char **id = creation_id(request);
    if (status_is_transient(status) && id != NULL)
        error_set(error, status, error->reason, _("%s; retry with the id %s"), error->message, *id);
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
