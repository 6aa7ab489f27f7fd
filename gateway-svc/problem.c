#include "problem.h"

#include "policy.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static const char TYPE[] = "application/problem+json";

static const char *title_of(unsigned code)
{
    switch (code) {
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 409:
        return "Conflict";
    case 412:
        return "Precondition Failed";
    case 413:
        return "Content Too Large";
    case 415:
        return "Unsupported Media Type";
    case 422:
        return "Unprocessable Content";
    case 429:
        return "Too Many Requests";
    case 499:
        return "Client Closed Request";
    case 501:
        return "Not Implemented";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    default:
        return "Internal Server Error";
    }
}

/* Text of its own in the request's arena; NULL when out of memory. */
static char *dump(struct http_request *request, const json_t *problem)
{
    char *text = json_dumps(problem, JSON_COMPACT);
    char *copy = text != NULL ? arena_strdup(http_arena(request), text) : NULL;
    free(text);
    return copy;
}

static void respond(struct http_request *request, unsigned code, const char *reason, const char *detail,
                    unsigned retry_after_s, const char *allow)
{
    struct http_answer answer = {.code = code, .type = TYPE};
    size_t fields = 0;
    json_t *problem = json_pack("{s:s, s:s, s:i, s:s}", "type", "about:blank", "title", title_of(code),
                                "status", (int)code, "detail", detail);
    if (problem != NULL && reason[0] != '\0')
        json_object_set_new(problem, "reason", json_string(reason));
    char *text = problem != NULL ? dump(request, problem) : NULL;
    json_decref(problem);
    if (text == NULL) {
        log_plain(LOG_ERROR, "http.out_of_memory");
        answer.type = NULL;
    } else {
        answer.body = text;
        answer.body_size = strlen(text);
    }
    if (retry_after_s > 0) {
        char *seconds = arena_printf(http_arena(request), "%u", retry_after_s);
        if (seconds != NULL)
            answer.fields[fields++] = (struct http_field){"Retry-After", seconds};
    }
    if (allow != NULL)
        answer.fields[fields++] = (struct http_field){"Allow", allow};
    http_respond(request, &answer);
}

void problem_respond(struct http_request *request, const struct error *error)
{
    unsigned code = policy_rest_code(error);
    const char *reason = error->reason[0] != '\0' ? error->reason : status_name(error->status);
    respond(request, code, reason, error->message, policy_retry_after_s(error, code), NULL);
}

void problem_respond_http(struct http_request *request, unsigned code, const char *detail, const char *allow)
{
    respond(request, code, "", detail, 0, allow);
}
