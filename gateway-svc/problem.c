#include "problem.h"

#include "http_mapping.h"
#include "http_status.h"
#include "json_body.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"

static const char TYPE[] = "application/problem+json";

static const char *title_of(unsigned code)
{
    static const struct {
        enum http_status code;
        const char *title;
    } TITLES[] = {
        {HTTP_BAD_REQUEST, "Bad Request"},
        {HTTP_UNAUTHORIZED, "Unauthorized"},
        {HTTP_FORBIDDEN, "Forbidden"},
        {HTTP_NOT_FOUND, "Not Found"},
        {HTTP_METHOD_NOT_ALLOWED, "Method Not Allowed"},
        {HTTP_CONFLICT, "Conflict"},
        {HTTP_PRECONDITION_FAILED, "Precondition Failed"},
        {HTTP_CONTENT_TOO_LARGE, "Content Too Large"},
        {HTTP_UNSUPPORTED_MEDIA_TYPE, "Unsupported Media Type"},
        {HTTP_UNPROCESSABLE_CONTENT, "Unprocessable Content"},
        {HTTP_TOO_MANY_REQUESTS, "Too Many Requests"},
        {HTTP_HEAD_TOO_LARGE, "Request Header Fields Too Large"},
        {HTTP_CLIENT_CLOSED_REQUEST, "Client Closed Request"},
        {HTTP_NOT_IMPLEMENTED, "Not Implemented"},
        {HTTP_SERVICE_UNAVAILABLE, "Service Unavailable"},
        {HTTP_GATEWAY_TIMEOUT, "Gateway Timeout"},
    };
    for (size_t i = 0; i < sizeof TITLES / sizeof TITLES[0]; i++)
        if (TITLES[i].code == code)
            return TITLES[i].title;
    return "Internal Server Error";
}

static void respond(struct http_request *request, unsigned code, const struct error *error, const char *allow)
{
    struct http_answer answer = {.code = code, .type = TYPE};
    unsigned retry_after_s = http_retry_after_s(error, code);
    size_t fields = 0;
    json_t *problem = json_pack("{s:s, s:s, s:i, s:s}", "type", "about:blank", "title", title_of(code),
                                "status", (int)code, "detail", error->message);
    if (problem != NULL && error->reason[0] != '\0')
        json_object_set_new(problem, "reason", json_string(error->reason));
    if (problem != NULL && error->retry_after_ms > 0)
        json_object_set_new(problem, "retry_after_ms", json_integer(error->retry_after_ms));
    if (!json_body_set(request, problem, &answer)) {
        log_plain(LOG_ERROR, "http.out_of_memory");
        answer.type = NULL;
    }
    json_decref(problem);
    if (retry_after_s > 0) {
        char *seconds = arena_printf(http_arena(request), "%u", retry_after_s);
        if (seconds != NULL)
            answer.fields[fields++] = (struct http_field){"Retry-After", seconds};
    }
    if (code == HTTP_UNAUTHORIZED)
        answer.fields[fields++] = HTTP_BEARER;
    if (allow != NULL)
        answer.fields[fields++] = (struct http_field){"Allow", allow};
    http_respond(request, &answer);
}

void problem_respond(struct http_request *request, const struct error *error)
{
    const char *reason = error->reason[0] != '\0' ? error->reason : status_name(error->status);
    struct error shown = {.status = error->status, .retry_after_ms = error->retry_after_ms};
    snprintf(shown.reason, sizeof shown.reason, "%s", reason);
    snprintf(shown.message, sizeof shown.message, "%s", http_public_message(error));
    text_make_utf8(shown.message);
    respond(request, http_rest_code(error), &shown, NULL);
}

void problem_respond_http(struct http_request *request, unsigned code, const char *detail, const char *allow)
{
    struct error shown = {.status = STATUS_OK};
    snprintf(shown.message, sizeof shown.message, "%s", detail);
    text_make_utf8(shown.message); /* the message may quote the request, or be truncated within a character */
    respond(request, code, &shown, allow);
}
