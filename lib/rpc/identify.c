#include "rpc/identify.h"

#include <string.h>

#include "auth/access.h"
#include "base/metrics.h"
#include "rpc/server_state.h"

#include "screening/v1/words.h"

static const char *const reasons[] = {SCREENING_REASON_TOKEN_MISSING, SCREENING_REASON_TOKEN_INVALID,
                                      SCREENING_REASON_TOKEN_EXPIRED, SCREENING_REASON_NOT_PERMITTED,
                                      SCREENING_REASON_TOO_MANY_CALLS};
enum { REASONS = sizeof reasons / sizeof reasons[0] };

#define REFUSED(reason)                                                                                      \
    METRIC_LABELLED("rpc_server_refused_callers_total", "Calls refused because of their caller, by reason",  \
                    "reason=\"" reason "\"")

/* In the order of `reasons`. */
static struct metric refused[REASONS] = {
    REFUSED(SCREENING_REASON_TOKEN_MISSING), REFUSED(SCREENING_REASON_TOKEN_INVALID),
    REFUSED(SCREENING_REASON_TOKEN_EXPIRED), REFUSED(SCREENING_REASON_NOT_PERMITTED),
    REFUSED(SCREENING_REASON_TOO_MANY_CALLS)};

static enum status refuse_token(struct error *error, const char *reason, const char *message)
{
    return error_set(error, STATUS_UNAUTHENTICATED, reason, "authorization: %s", message);
}

/* Sets *value to the call's only `authorization`, or to NULL. Two of them are a trick or a defect. */
static enum status find_authorization(const struct rpc_call *call, const char **value, struct error *error)
{
    *value = NULL;
    for (size_t i = 0; i < call->request->n_metadata; i++) {
        const Rpc__V1__Metadata *entry = call->request->metadata[i];
        if (strcmp(entry->key, "authorization") != 0)
            continue;
        if (*value != NULL)
            return refuse_token(error, SCREENING_REASON_TOKEN_INVALID, "must occur once");
        *value = entry->value;
    }
    return STATUS_OK;
}

/* Returns whether a gateway makes the call for itself: it names its client with each token that it passes on.
 */
static bool is_of_gateway_itself(const struct rpc_call *call)
{
    return rpc_call_is_from(call, call->server->gateway_listener) &&
           rpc_call_metadata(call, "client-address") == NULL;
}

/*
 * Returns the roles that the listener on which the call arrived admits; none if its connection was gone
 * before the listener could be asked. A client that shows the token of a service to a gateway is no service.
 * For itself a gateway only reads.
 */
static unsigned admitted_roles(const struct rpc_call *call, const struct access_rule *rule)
{
    const struct rpc_server *server = call->server;
    const unsigned people = AUTH_ROLES_ALL & ~(unsigned)AUTH_SERVICE;
    if (rpc_call_is_from(call, server->gateway_listener))
        return rule->only_reads && is_of_gateway_itself(call) ? AUTH_ROLES_ALL : people;
    if (rpc_call_is_from(call, server->client_listener))
        return people;
    return rpc_call_is_from(call, server->service_listener) ? AUTH_SERVICE : 0;
}

/* Sets the caller to `found`, with the roles that count for this call. */
static enum status set_caller(struct rpc_call *call, const struct auth_caller *found, unsigned roles,
                              struct error *error)
{
    struct auth_caller *caller = arena_alloc(&call->arena, sizeof *caller);
    if (caller == NULL)
        return error_no_memory(error);
    *caller = *found;
    caller->roles = roles;
    call->caller = caller;
    return STATUS_OK;
}

/* Limits how often a person calls. Services are exempt, and so is a caller without a token. */
static enum status check_allowance(const struct rpc_access *access, const struct access_rule *rule,
                                   const struct auth_caller *caller, struct error *error)
{
    uint32_t retry_after_ms = 0;
    if (access->allow == NULL || caller->roles == 0 || (caller->roles & AUTH_SERVICE) != 0 ||
        access->allow(access->context, caller, rule->only_reads, &retry_after_ms))
        return STATUS_OK;
    (void)error_set(error, STATUS_RESOURCE_EXHAUSTED, SCREENING_REASON_TOO_MANY_CALLS,
                    "authorization: this caller calls too often");
    error->retry_after_ms = retry_after_ms;
    return error->status;
}

/* Returns the source of the call for rpc_identify_fn. */
static struct auth_source source_of(const struct rpc_call *call)
{
    if (rpc_call_is_from(call, call->server->service_listener) || is_of_gateway_itself(call))
        return AUTH_TRUSTED_PLACE;
    return (struct auth_source){rpc_call_source(call), (uint32_t)call->listener};
}

static enum status decide(struct rpc_call *call, struct error *error)
{
    const struct rpc_access *access = &call->server->access;
    call->caller = &AUTH_TRUSTED;
    if (access->identify == NULL)
        return STATUS_OK;
    call->caller = &AUTH_ANONYMOUS;
    const struct access_rule *rule =
        &call->entry->rules[call->method - call->entry->service->descriptor->methods];
    if (rule->is_open)
        return STATUS_OK;
    const char *authorization = NULL;
    const struct auth_caller *found = &AUTH_ANONYMOUS;
    TRY(find_authorization(call, &authorization, error));
    if (authorization != NULL)
        TRY(access->identify(access->context, authorization, source_of(call), &call->arena, &found, error));
    unsigned admitted = found->roles & admitted_roles(call, rule);
    switch (access_decide(rule, admitted, access->public_catalogue)) {
    case ACCESS_ALLOWED:
        TRY(set_caller(call, found, admitted & rule->roles, error));
        return check_allowance(access, rule, call->caller, error);
    case ACCESS_NEEDS_TOKEN:
        if (authorization == NULL)
            return refuse_token(error, SCREENING_REASON_TOKEN_MISSING, "must be given");
        break;
    case ACCESS_DENIED:
    default:
        break;
    }
    return error_set(error, STATUS_PERMISSION_DENIED, SCREENING_REASON_NOT_PERMITTED,
                     "authorization: this caller may not call %s here", call->request->method);
}

enum status rpc_identify(struct rpc_call *call, struct error *error)
{
    enum status status = decide(call, error);
    for (size_t i = 0; status != STATUS_OK && i < REASONS; i++)
        if (strcmp(error->reason, reasons[i]) == 0)
            metric_add(&refused[i], 1);
    return status;
}

void rpc_identify_register_metrics(void)
{
    for (size_t i = 0; i < REASONS; i++)
        metric_register(&refused[i]);
}
