/* screenctl call METHOD '{json}': calls any method of any service, by its descriptor */
#include "client.h"
#include "command.h"
#include "message.h"
#include "methods.h"
#include "output.h"

#include <string.h>

#include "protojson/protojson.h"

static const char *served_by(struct session *session, const struct method_service *service)
{
    const char *names = "";
    for (int i = 0; i < PEER_COUNT && names != NULL; i++) {
        if (service->served_by[i]) {
            names =
                arena_printf(&session->arena, "%s%s%s", names, names[0] != '\0' ? " " : "", PEERS[i].name);
        }
    }
    return names == NULL ? "" : names;
}

static int list_methods(struct session *session)
{
    static const struct table_column columns[] = {
        {N_("METHOD"), false}, {N_("SERVED BY"), false}, {N_("REQUEST"), false}, {N_("RESPONSE"), false}};
    struct table table;
    table_init(&table, &session->arena, columns, COUNT_OF(columns));
    table.layout.optional = TABLE_COLUMN(2) | TABLE_COLUMN(3);
    for (size_t i = 0; i < METHOD_SERVICE_COUNT; i++) {
        const ProtobufCServiceDescriptor *descriptor = METHOD_SERVICES[i].descriptor;
        for (unsigned m = 0; m < descriptor->n_methods; m++) {
            const char *name =
                arena_printf(&session->arena, "%s/%s", descriptor->name, descriptor->methods[m].name);
            table_text(&table, name != NULL ? name : descriptor->methods[m].name);
            table_text(&table, served_by(session, &METHOD_SERVICES[i]));
            table_text(&table, descriptor->methods[m].input->short_name);
            table_text(&table, descriptor->methods[m].output->short_name);
        }
    }
    return output_table(&table);
}

/*
 * Returns the peer to call: the peer named `to`, if it serves the method, or, if `to` is NULL, the only peer
 * that serves the method. Returns PEER_COUNT if there is no such peer.
 */
static enum peer_name choose_peer(const struct method_service *service, const char *to)
{
    if (to == NULL)
        return method_only_peer(service);
    enum peer_name peer = peer_find(to);
    return peer < PEER_COUNT && service->served_by[peer] ? peer : PEER_COUNT;
}

static int call_method(struct session *session, const struct command *command, int argc, char **argv)
{
    char *name = NULL, *text = NULL, *to = NULL;
    protobuf_c_boolean list = false;
    const struct argument arguments[] = {
        {"METHOD", &name, ARGUMENT_TEXT, false},
        {"JSON", &text, ARGUMENT_TEXT, false},
        {"--to", &to, ARGUMENT_TEXT, false},
        {"--list", &list, ARGUMENT_SWITCH, false},
    };
    int exit_code;
    if (!command_read(session, command, arguments, COUNT_OF(arguments), argc, argv, &exit_code))
        return exit_code;
    if (list)
        return list_methods(session);
    if (name == NULL)
        return usage_error(command, "METHOD: must be given");
    const ProtobufCMethodDescriptor *method;
    const struct method_service *service = method_find(name, &method);
    if (service == NULL)
        return usage_error(command, "%s: no such method (see screenctl call --list)", name);
    enum peer_name peer = choose_peer(service, to);
    if (peer == PEER_COUNT) {
        return usage_error(command, "--to: must be a service that serves %s: %s",
                           service->descriptor->short_name, served_by(session, service));
    }
    ProtobufCMessage *request;
    struct error error;
    const char *json = text == NULL ? "{}" : text;
    if (protojson_text_to_message(json, strlen(json), method->input, 0, &session->arena, &request, &error) !=
        STATUS_OK)
        return usage_error(command, "%s", error.message);
    const ProtobufCMessage *response = client_ask_at(session, peer, name, request);
    return response == NULL ? EXIT_FAILED : output_message(response);
}

const struct command CALL_METHOD = {"call", NULL,
                                    "METHOD ['{JSON}'] [--to hospital|booking|history] | --list",
                                    N_("calls any method with a JSON request"), call_method};
