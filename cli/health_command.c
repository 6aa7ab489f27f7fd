/*
 * screenctl health: whether every service and the gateway, or the named one, is ready, and what degrades it
 */
#include "client.h"
#include "command.h"
#include "message.h"
#include "output.h"
#include "probe.h"

#include <string.h>

#include "grpc/health/v1/health.pb-c.h"
#include "rpc/v1/introspection.pb-c.h"

/* The peers, then the gateway. */
enum { GATEWAY = PEER_COUNT, CONDITION_COUNT };

static const char *program_of(int i)
{
    return i == GATEWAY ? GATEWAY_PROGRAM : PEERS[i].program;
}

static const char *address_of(const struct session *session, int i)
{
    return i == GATEWAY ? session->gateway : session->addresses[i];
}

struct condition {
    const char *state; /* "SERVING", "NOT_SERVING" or the error's code; NULL = not queried */
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
    if (answer == NULL) {
        fail(session, &error, condition);
        return;
    }
    condition->state = serving_text(health->status);
    condition->detail = answer->not_ready;
    condition->degraded = answer->degraded;
    condition->degraded_count = answer->n_degraded;
}

/*
 * Queries the gateway's /readyz. Returns false if the result does not count, because no gateway was
 * configured and none runs.
 */
static bool ask_gateway(struct session *session, struct condition *condition)
{
    enum { BODY_SIZE = 256, OK = 200, UNREADY = 503 };
    char body[BODY_SIZE];
    int code = probe_http(session->gateway, "/readyz", session->timeout_ms, body, sizeof body);
    body[strcspn(body, "\r\n")] = '\0';
    const char *detail = code == OK        ? ""
                         : code == UNREADY ? arena_strdup(&session->arena, body)
                         : code == 0       ? _("nobody listens there")
                                           : _("no answer, or none of gateway-svc");
    *condition = (struct condition){.state = code == OK        ? N_("SERVING")
                                             : code == UNREADY ? N_("NOT_SERVING")
                                             : code == 0       ? N_("NOT_RUNNING")
                                                               : status_name(STATUS_UNAVAILABLE),
                                    .detail = detail == NULL ? "" : detail};
    return code != 0 || session->gateway_named;
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
 * Returns whether all queried services that count are serving. `only` NULL = all. Sets *known if any service
 * exists.
 */
static bool ask_all(struct session *session, const char *only, struct condition conditions[CONDITION_COUNT],
                    bool *known)
{
    bool serving = true;
    *known = false;
    for (int i = 0; i < CONDITION_COUNT; i++) {
        const char *name = i == GATEWAY ? "gateway" : PEERS[i].name;
        bool counts = true;
        conditions[i] = (struct condition){.detail = ""};
        if (only != NULL ? strcmp(only, name) != 0 : i == GATEWAY && session->gateway[0] == '\0')
            continue;
        *known = true;
        if (i == GATEWAY)
            counts = ask_gateway(session, &conditions[i]) || only != NULL;
        else
            ask_peer(session, (enum peer_name)i, &conditions[i]);
        serving = serving && (!counts || strcmp(conditions[i].state, "SERVING") == 0);
    }
    return serving;
}

int health_show(struct session *session, const struct command *command, int argc, char **argv)
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
        return usage_error(command, "SERVICE %s: must be hospital, booking, history or gateway", only);
    exit_code = session->json ? show_json(session, conditions) : show_table(session, conditions);
    return exit_code == EXIT_DONE && !serving ? EXIT_FAILED : exit_code;
}
