#include "rest_answer.h"

#include "http_status.h"
#include "json_body.h"
#include "problem.h"
#include "rest_words.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "protojson/protojson.h"

#include "screening/v1/types.pb-c.h"

/* A response under construction. */
struct making {
    const struct rest_call *call;
    const ProtobufCMessage *message;
    struct arena *arena;
    struct http_answer answer;
    size_t fields;
};

/* Returns a pointer to the field of the message with this name and type, or NULL if there is none. */
static const void *find(const ProtobufCMessage *message, const char *name, ProtobufCType type)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);
    return field != NULL && field->type == type ? (const char *)message + field->offset : NULL;
}

/* Returns the text of the field, or "" if there is none. */
static const char *text_of(const ProtobufCMessage *message, const char *name)
{
    char *const *text = find(message, name, PROTOBUF_C_TYPE_STRING);
    return text != NULL && *text != NULL ? *text : "";
}

static bool is_waiting(const ProtobufCMessage *message)
{
    return message->descriptor == &screening__v1__booking__descriptor &&
           ((const Screening__V1__Booking *)message)->status == SCREENING__V1__BOOKING_STATUS__REQUESTED;
}

static bool add_field(struct making *making, const char *name, const char *value)
{
    if (value != NULL)
        making->answer.fields[making->fields++] = (struct http_field){name, value};
    return value != NULL;
}

static bool add_location(struct making *making)
{
    const struct rest_route *route = making->call->route;
    if (route->id == NULL)
        return true;
    making->answer.code = is_waiting(making->message) ? HTTP_ACCEPTED : HTTP_CREATED;
    /* The reference is relative to the request's path, from which a proxy may have removed a prefix. */
    return add_field(
        making, "Location",
        arena_printf(making->arena, "%s/%s", route->pattern + 1, text_of(making->message, route->id)));
}

static bool add_etag(struct making *making)
{
    const uint64_t *version = find(making->message, "version", PROTOBUF_C_TYPE_UINT64);
    if (version == NULL)
        return true;
    const char *tag = arena_printf(making->arena, "\"%" PRIu64 "\"", *version);
    if (!add_field(making, "ETag", tag))
        return false;
    const char *known = making->call->if_none_match;
    if (known != NULL && (strcmp(known, "*") == 0 || strstr(known, tag) != NULL))
        making->answer.code = HTTP_NOT_MODIFIED;
    return true;
}

static bool add_link(struct making *making)
{
    const char *token = text_of(making->message, "next_page_token");
    if (making->call->next_page == NULL || token[0] == '\0')
        return true;
    return add_field(making, "Link",
                     arena_printf(making->arena, "<%s%s>; rel=\"next\"", making->call->next_page, token));
}

static enum status make(struct making *making, struct error *error)
{
    struct http_answer *answer = &making->answer;
    if (!add_location(making) || !add_etag(making) || !add_link(making))
        return error_no_memory(error);
    if (answer->code == HTTP_NOT_MODIFIED)
        return STATUS_OK;
    answer->type = "application/json";
    return json_body_write(making->message, PROTOJSON_EMIT_DEFAULTS, making->arena, answer, error);
}

void rest_answer(const ProtobufCMessage *response, void *backend_call)
{
    const struct rest_call *call = container_of(backend_call, struct rest_call, backend);
    struct making making = {
        .call = call, .message = response, .arena = http_arena(call->request), .answer = {.code = HTTP_OK}};
    struct error error;
    if (response == NULL) {
        error = call->backend.rpc.error;
        rest_words(call->input, error.message);
        problem_respond(call->request, &error);
    } else if (make(&making, &error) != STATUS_OK) {
        log_event(LOG_ERROR, "rest.answer_not_written", LOG_TEXT("method", call->route->rpc),
                  LOG_TEXT("error", error.message));
        error.status = STATUS_INTERNAL; /* an invalid response from a service is not the client's error */
        problem_respond(call->request, &error);
    } else {
        http_respond(call->request, &making.answer);
    }
}
