/*
 * screenctl health: shows whether all services, the gateway and the front door, or the named one, are ready
 * and not degraded
 */
#include "client.h"
#include "command.h"
#include "message.h"
#include "output.h"
#include "probe.h"

#include <string.h>

#include "grpc/health/v1/health.pb-c.h"
#include "rpc/v1/introspection.pb-c.h"

/* The peers, then the programs that accept only HTTP. */
enum { CONDITION_COUNT = PEER_COUNT + WEB_COUNT };

static const char *name_of(int i)
{
    return i < PEER_COUNT ? PEERS[i].name : WEBS[i - PEER_COUNT].name;
}

static const char *program_of(int i)
{
    return i < PEER_COUNT ? PEERS[i].program : WEBS[i - PEER_COUNT].program;
}

static const char *address_of(const struct session *session, int i)
{
    return i < PEER_COUNT ? session->addresses[i] : session->webs[i - PEER_COUNT];
}

struct condition {
    const char *state; /* such as "SERVING" or "NOT_RUNNING", or an error's code; NULL = not queried */
    const char *detail;
    char **degraded;
    size_t degraded_count;
};

static const char *serving_text(Grpc__Health__V1__HealthCheckResponse__ServingStatus status)
{
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(
        &grpc__health__v1__health_check_response__serving_status__descriptor, (int)status);
    return value == NULL ? "UNRECOGNISED" : value->name;
}

static void fail(struct session *session, const struct error *error, struct condition *condition)
{
    condition->state = status_name(error->status);
    condition->detail = arena_strdup(&session->arena, error->message);
    if (condition->detail == NULL)
        condition->detail = "";
}

static void ask_peer(struct session *session, enum peer_name peer, struct condition *condition)
{
    Grpc__Health__V1__HealthCheckRequest check = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    Rpc__V1__StatsRequest stats = RPC__V1__STATS_REQUEST__INIT;
    struct error error;
    *condition = (struct condition){.detail = ""};
    const Grpc__Health__V1__HealthCheckResponse *health =
        client_call_at(session, peer, "Check", &check.base, &error);
    const Rpc__V1__StatsResponse *answer =
        health != NULL ? client_call_at(session, peer, "Stats", &stats.base, &error) : NULL;
    if (answer == NULL && (health == NULL || (error.status != STATUS_UNAUTHENTICATED &&
                                              error.status != STATUS_PERMISSION_DENIED))) {
        fail(session, &error, condition);
        return;
    }
    condition->state = serving_text(health->status);
    if (answer == NULL) {
        condition->detail = _("only the token of an administrator, an auditor or a service shows more");
        return;
    }
    condition->detail = answer->not_ready;
    condition->degraded = answer->degraded;
    condition->degraded_count = answer->n_degraded;
}

/* A program's own statement about itself over HTTP. */
enum statement { IS_READY, IS_UNREADY, IS_OTHER }; /* IS_OTHER: the answer is not one of the program */

/* Evaluates an answer of /readyz. Leaves in `body` the reason for which the gateway is not ready. */
static enum statement read_readiness(int code, char *body)
{
    enum { OK = 200, UNREADY = 503 };
    body[strcspn(body, "\r\n")] = '\0';
    return code == OK ? IS_READY : code == UNREADY ? IS_UNREADY : IS_OTHER;
}

/*
 * Evaluates an answer to GET /, which the gateway answers through the front door. A refusal, of either, has a
 * detail, which is left in `body`.
 */
static enum statement read_index(int code, char *body)
{
    static const char INDEX[] = "{\"name\":\"screening reservation\"", DETAIL[] = "\"detail\":\"";
    enum { OK = 200 };
    const char *detail = strstr(body, DETAIL);
    if (code == OK && strncmp(body, INDEX, strlen(INDEX)) == 0)
        return IS_READY;
    if (code == OK || detail == NULL)
        return IS_OTHER;
    detail += strlen(DETAIL);
    size_t size = strcspn(detail, "\"");
    memmove(body, detail, size);
    body[size] = '\0';
    return IS_UNREADY;
}

/*
 * Queries a program over HTTP. Returns whether its state counts. If no address was given, a program that is
 * not running does not count, nor does an unknown one at the port of the front door, which many programs use.
 */
static bool ask_web(struct session *session, enum web_name web, struct condition *condition)
{
    enum { BODY_SIZE = 512 };
    char body[BODY_SIZE];
    bool front = web == WEB_FRONT;
    int code =
        probe_http(session->webs[web], front ? "/" : "/readyz", session->timeout_ms, body, sizeof body);
    enum statement statement = front ? read_index(code, body) : read_readiness(code, body);
    const char *detail = statement == IS_READY     ? ""
                         : statement == IS_UNREADY ? arena_strdup(&session->arena, body)
                         : code == 0               ? _("nothing listens at this address")
                         : front                   ? _("no answer, or not one from the front door")
                                                   : _("no answer, or not one from gateway-svc");
    *condition = (struct condition){.state = statement == IS_READY     ? N_("SERVING")
                                             : statement == IS_UNREADY ? N_("NOT_SERVING")
                                             : code == 0               ? N_("NOT_RUNNING")
                                                                       : status_name(STATUS_UNAVAILABLE),
                                    .detail = detail == NULL ? "" : detail};
    return session->web_named[web] || (front ? statement != IS_OTHER : code != 0);
}

static json_t *degraded_list(const struct condition *condition)
{
    json_t *list = json_array();
    for (size_t i = 0; i < condition->degraded_count; i++)
        json_array_append_new(list, json_string(condition->degraded[i]));
    return list;
}

static int show_json(const struct session *session, const struct condition conditions[CONDITION_COUNT])
{
    json_t *services = json_array();
    for (int i = 0; i < CONDITION_COUNT; i++) {
        if (conditions[i].state == NULL)
            continue;
        json_array_append_new(services,
                              json_pack("{s:s, s:s, s:s, s:s, s:o}", "service", program_of(i), "address",
                                        address_of(session, i), "status", conditions[i].state, "detail",
                                        conditions[i].detail, "degraded", degraded_list(&conditions[i])));
    }
    return output_document(json_pack("{s:o}", "services", services));
}

static void add_rows(struct table *table, const char *program, const char *address,
                     const struct condition *condition)
{
    bool detailed = condition->detail[0] != '\0' || condition->degraded_count == 0;
    table_text(table, program);
    table_text(table, address);
    table_text(table, message(condition->state));
    table_text(table, detailed ? condition->detail : condition->degraded[0]);
    for (size_t i = detailed ? 0 : 1; i < condition->degraded_count; i++) {
        table_text(table, "");
        table_text(table, "");
        table_text(table, "");
        table_text(table, condition->degraded[i]);
    }
}

static int show_table(struct session *session, const struct condition conditions[CONDITION_COUNT])
{
    static const struct table_column columns[] = {
        {N_("SERVICE"), false}, {N_("ADDRESS"), false}, {N_("STATUS"), false}, {N_("DETAIL"), false}};
    struct table table;
    table_init(&table, &session->arena, columns, COUNT_OF(columns));
    table.layout.if_filled = TABLE_COLUMN(3);
    for (int i = 0; i < CONDITION_COUNT; i++)
        if (conditions[i].state != NULL)
            add_rows(&table, program_of(i), address_of(session, i), &conditions[i]);
    return output_table(&table);
}

/*
 * Queries the service `only` (NULL = all). Returns whether every queried service that counts is serving. Sets
 * *known to whether any service was queried.
 */
static bool ask_all(struct session *session, const char *only, struct condition conditions[CONDITION_COUNT],
                    bool *known)
{
    bool serving = true;
    *known = false;
    for (int i = 0; i < CONDITION_COUNT; i++) {
        bool counts = true;
        conditions[i] = (struct condition){.detail = ""};
        if (only != NULL ? strcmp(only, name_of(i)) != 0 : address_of(session, i)[0] == '\0')
            continue;
        *known = true;
        if (i >= PEER_COUNT)
            counts = ask_web(session, (enum web_name)(i - PEER_COUNT), &conditions[i]) || only != NULL;
        else
            ask_peer(session, (enum peer_name)i, &conditions[i]);
        serving = serving && (!counts || strcmp(conditions[i].state, "SERVING") == 0);
    }
    return serving;
}

static int health_show(struct session *session, const struct command *command, int argc, char **argv)
{
    char *only = NULL;
    const struct argument arguments[] = {{"SERVICE", &only, ARGUMENT_TEXT, false}};
    int exit_code;
    if (!command_read(session, command, arguments, COUNT_OF(arguments), argc, argv, &exit_code))
        return exit_code;
    struct condition conditions[CONDITION_COUNT];
    bool known;
    bool serving = ask_all(session, only, conditions, &known);
    if (!known)
        return usage_error(command, "SERVICE %s: must be hospital, booking, history, gateway or front", only);
    exit_code = session->json ? show_json(session, conditions) : show_table(session, conditions);
    return exit_code == EXIT_DONE && !serving ? EXIT_FAILED : exit_code;
}

const struct command HEALTH_SHOW = {"health", NULL, "[hospital|booking|history|gateway|front]",
                                    N_("shows whether the services are ready; exit code 1 if not"),
                                    health_show};
