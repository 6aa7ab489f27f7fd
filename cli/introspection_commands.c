/* screenctl describe, screenctl stats: show what each service reports about itself */
#include "client.h"
#include "command.h"
#include "message.h"
#include "output.h"

#include <stdlib.h>
#include <string.h>

#include "rpc/v1/introspection.pb-c.h"

/* One request to one service or to all, and the responses. A missing response is NULL. */
struct question {
    const char *method;
    ProtobufCMessage *request;
    const ProtobufCMessage *answers[PEER_COUNT];
    bool all_answered;
};

static void ask(struct session *session, struct question *question, const char *only)
{
    question->all_answered = true;
    for (int i = 0; i < PEER_COUNT; i++) {
        enum peer_name peer = (enum peer_name)i;
        if (only != NULL && peer != peer_find(only))
            continue;
        question->answers[i] = client_ask_at(session, peer, question->method, question->request);
        question->all_answered = question->all_answered && question->answers[i] != NULL;
    }
}

static void add_methods(struct table *table, const Rpc__V1__DescribeResponse *answer)
{
    for (size_t i = 0; i < answer->n_services; i++) {
        for (size_t m = 0; m < answer->services[i]->n_methods; m++) {
            const Rpc__V1__MethodDescription *method = answer->services[i]->methods[m];
            table_text(table, answer->program);
            table_text(table, answer->version);
            table_text(table, method->name);
            table_text(table, method->request_type);
            table_text(table, method->response_type);
        }
    }
}

static int show_methods(struct session *session, const struct question *question)
{
    static const struct table_column columns[] = {{N_("SERVICE"), false},
                                                  {N_("VERSION"), false},
                                                  {N_("METHOD"), false},
                                                  {N_("REQUEST"), false},
                                                  {N_("RESPONSE"), false}};
    struct table table;
    table_init(&table, &session->arena, columns, COUNT_OF(columns));
    table.layout.optional = TABLE_COLUMN(1) | TABLE_COLUMN(3) | TABLE_COLUMN(4);
    for (int i = 0; i < PEER_COUNT; i++)
        if (question->answers[i] != NULL)
            add_methods(&table, (const Rpc__V1__DescribeResponse *)question->answers[i]);
    return output_table(&table);
}

static int compare_stats(const void *left, const void *right)
{
    return strcmp((*(Rpc__V1__Stat *const *)left)->name, (*(Rpc__V1__Stat *const *)right)->name);
}

/* Sorts the metrics by name, because a service lists them in order of registration. */
static void sort_stats(const struct question *question)
{
    for (int i = 0; i < PEER_COUNT; i++) {
        const Rpc__V1__StatsResponse *answer = (const Rpc__V1__StatsResponse *)question->answers[i];
        if (answer != NULL)
            qsort(answer->stats, answer->n_stats, sizeof answer->stats[0], compare_stats);
    }
}

static void add_stats(struct session *session, struct table *table, const Rpc__V1__StatsResponse *answer)
{
    for (size_t i = 0; i < answer->n_degraded; i++) {
        table_text(table, answer->program);
        table_text(table, "degraded");
        table_text(table, answer->degraded[i]);
    }
    for (size_t i = 0; i < answer->n_stats; i++) {
        const char *value = answer->stats[i]->unit != 0
                                ? arena_printf(&session->arena, "%.15g",
                                               (double)answer->stats[i]->value * answer->stats[i]->unit)
                                : arena_printf(&session->arena, "%lld",
                                               (long long)answer->stats[i]->value); /* may be negative */
        table_text(table, answer->program);
        table_text(table, answer->stats[i]->name);
        table_text(table, value == NULL ? "" : value);
    }
}

static int show_stats(struct session *session, const struct question *question)
{
    static const struct table_column columns[] = {
        {N_("SERVICE"), false}, {N_("NAME"), false}, {N_("VALUE"), true}};
    struct table table;
    sort_stats(question);
    table_init(&table, &session->arena, columns, COUNT_OF(columns));
    for (int i = 0; i < PEER_COUNT; i++)
        if (question->answers[i] != NULL)
            add_stats(session, &table, (const Rpc__V1__StatsResponse *)question->answers[i]);
    return output_table(&table);
}

static int answer(struct session *session, const struct command *command, int argc, char **argv,
                  struct question *question, int (*show)(struct session *, const struct question *))
{
    char *only = NULL;
    const struct argument arguments[] = {{"SERVICE", &only, ARGUMENT_TEXT, false}};
    int exit_code;
    if (!command_read(session, command, arguments, 1, argc, argv, &exit_code))
        return exit_code;
    if (only != NULL && peer_find(only) == PEER_COUNT)
        return usage_error(command, "SERVICE %s: must be hospital, booking or history", only);
    ask(session, question, only);
    exit_code =
        session->json ? output_messages("services", question->answers, PEER_COUNT) : show(session, question);
    return question->all_answered ? exit_code : EXIT_FAILED;
}

static int introspection_describe(struct session *session, const struct command *command, int argc,
                                  char **argv)
{
    Rpc__V1__DescribeRequest request = RPC__V1__DESCRIBE_REQUEST__INIT;
    struct question question = {.method = "Describe", .request = &request.base};
    return answer(session, command, argc, argv, &question, show_methods);
}

const struct command INTROSPECTION_DESCRIBE = {
    "describe", NULL, "[hospital|booking|history]",
    N_("lists the methods of the services and their message types"), introspection_describe};

static int introspection_stats(struct session *session, const struct command *command, int argc, char **argv)
{
    Rpc__V1__StatsRequest request = RPC__V1__STATS_REQUEST__INIT;
    struct question question = {.method = "Stats", .request = &request.base};
    return answer(session, command, argc, argv, &question, show_stats);
}

const struct command INTROSPECTION_STATS = {"stats", NULL, "[hospital|booking|history]",
                                            N_("shows counters, gauges and current problems of the services"),
                                            introspection_stats};
