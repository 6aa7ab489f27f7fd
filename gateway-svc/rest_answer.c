#include "rest_answer.h"

#include "json_body.h"
#include "problem.h"

#include <string.h>

#include "base/log.h"
#include "protojson/protojson.h"

enum { OK = 200, CREATED = 201, ACCEPTED = 202, NOT_MODIFIED = 304, UNAVAILABLE = 503 };

/* An answer as it is being made. */
struct making {
    const struct rest_call *call;
    struct arena *arena;
    json_t *json;
    struct http_answer answer;
    size_t fields;
};

/* "" if there is none. */
static const char *text_of(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));
    return text != NULL ? text : "";
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
    bool waits = strcmp(text_of(making->json, "status"), "REQUESTED") == 0;
    making->answer.code = waits ? ACCEPTED : CREATED;
    return add_field(making, "Location",
                     arena_printf(making->arena, "%s/%s", route->pattern, text_of(making->json, route->id)));
}

static bool add_etag(struct making *making)
{
    const char *version = text_of(making->json, "version");
    if (version[0] == '\0')
        return true;
    const char *tag = arena_printf(making->arena, "\"%s\"", version);
    if (!add_field(making, "ETag", tag))
        return false;
    const char *known = making->call->if_none_match;
    if (known != NULL && (strcmp(known, "*") == 0 || strstr(known, tag) != NULL))
        making->answer.code = NOT_MODIFIED;
    return true;
}

static bool add_link(struct making *making)
{
    const char *token = text_of(making->json, "nextPageToken");
    if (making->call->next_page == NULL || token[0] == '\0')
        return true;
    return add_field(making, "Link",
                     arena_printf(making->arena, "<%s%s>; rel=\"next\"", making->call->next_page, token));
}

static bool add_body(struct making *making)
{
    if (making->answer.code == NOT_MODIFIED)
        return true;
    making->answer.type = "application/json";
    return json_body_set(making->call->request, making->json, &making->answer);
}

void rest_answer(const ProtobufCMessage *response, void *rest_call)
{
    const struct rest_call *call = rest_call;
    struct error error = call->rpc.error;
    struct making making = {.call = call, .arena = http_arena(call->request), .answer = {.code = OK}};
    enum status status = error.status;
    if (response != NULL)
        status = protojson_from_message(response, PROTOJSON_EMIT_DEFAULTS, &making.json, &error);
    if (status != STATUS_OK) {
        if (response != NULL) { /* what a service says of itself is its fault, never the caller's */
            log_event(LOG_ERROR, "rest.answer_not_written", LOG_TEXT("method", call->route->rpc),
                      LOG_TEXT("error", error.message));
            error.status = STATUS_INTERNAL;
        }
        problem_respond(call->request, &error);
        return;
    }
    bool made = add_location(&making) && add_etag(&making) && add_link(&making) && add_body(&making);
    json_decref(making.json);
    if (made)
        http_respond(call->request, &making.answer);
    else
        problem_respond_http(call->request, UNAVAILABLE, "out of memory", NULL);
}
