/* screenctl events tail: shows the events that the services exchange, live */
#include "client.h"
#include "command.h"
#include "event_follow.h"
#include "message.h"
#include "output.h"
#include "pki.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protojson/protojson.h"

struct tail {
    struct session *session;
    struct text_list types; /* none = all */
    char *booking_id;       /* NULL = all */
    char *hospital_id;      /* NULL = all */
    uint32_t max;           /* 0 = no limit */
    uint32_t shown;
    int exit_code;
};

/* ---- filter ---- */

static const char *hospital_of(const Screening__V1__Event *event)
{
    switch (event->body_case) {
    case SCREENING__V1__EVENT__BODY_BOOKING:
        return event->booking->hospital_id;
    case SCREENING__V1__EVENT__BODY_HOSPITAL:
        return event->hospital->hospital_id;
    case SCREENING__V1__EVENT__BODY_DAY:
        return event->day->hospital_id;
    default:
        return "";
    }
}

static bool is_wanted(const struct tail *tail, const Screening__V1__Event *event)
{
    bool booking = event->body_case == SCREENING__V1__EVENT__BODY_BOOKING;
    if (tail->booking_id != NULL && (!booking || strcmp(event->booking->booking_id, tail->booking_id) != 0))
        return false;
    if (tail->hospital_id != NULL && strcmp(hospital_of(event), tail->hospital_id) != 0)
        return false;
    bool wanted = tail->types.count == 0;
    for (size_t i = 0; i < tail->types.count; i++)
        wanted = wanted || strcmp(event->type, tail->types.texts[i]) == 0;
    return wanted;
}

/* ---- output ---- */

static int print_json(enum peer_name log, const Screening__V1__Event *event)
{
    struct error error;
    json_t *body;
    if (protojson_from_message(&event->base, PROTOJSON_EMIT_DEFAULTS, &body, &error) != STATUS_OK)
        return client_fail(&error);
    return output_line(json_pack("{s:s, s:o}", "log", PEERS[log].name, "event", body));
}

/* Describes the event without personal names. */
static const char *detail_of(struct arena *arena, const Screening__V1__Event *event)
{
    const char *detail = "";
    if (event->body_case == SCREENING__V1__EVENT__BODY_BOOKING) {
        detail = arena_printf(arena, _("booking %s, %s, headcount %u"), event->booking->booking_id,
                              event->booking->date, event->booking->headcount);
    } else if (event->body_case == SCREENING__V1__EVENT__BODY_DAY && event->day->day != NULL) {
        detail = arena_printf(arena, _("%s, capacity %u, remaining %u"), event->day->day->date,
                              event->day->day->capacity, event->day->day->remaining);
    } else if (event->body_case == SCREENING__V1__EVENT__BODY_HOSPITAL) {
        detail = arena_printf(arena, _("%zu days"), event->hospital->n_days);
    }
    return detail == NULL ? "" : detail;
}

/*
 * Prints the event on one line, for a scrolling terminal. The line has the resume position, the time, the
 * type, the hospital and details.
 */
static int print_line(enum peer_name log, const Screening__V1__Event *event)
{
    static const struct table_column columns[] = {
        {NULL, false}, {NULL, false}, {NULL, false}, {NULL, false}, {NULL, false}};
    struct session line = {.json = false}; /* with an arena per line, because the run may never end */
    struct table table;
    arena_init(&line.arena);
    const char *place = arena_printf(&line.arena, "%s:%llu", PEERS[log].name, (unsigned long long)event->seq);
    const char *hospital = arena_printf(&line.arena, _("hospital %s"), hospital_of(event));
    table_init(&table, &line.arena, columns, COUNT_OF(columns));
    table_text(&table, place == NULL ? "" : place);
    table_text(&table, output_instant(&line, event->occurred_at));
    table_text(&table, event->type);
    table_text(&table, hospital == NULL ? "" : hospital);
    table_text(&table, detail_of(&line.arena, event));
    int exit_code = table_print(&table, stdout) ? EXIT_DONE : EXIT_FAILED;
    arena_fini(&line.arena);
    return exit_code;
}

static bool take(void *context, enum peer_name log, const Screening__V1__FetchResponse *response)
{
    struct tail *tail = context;
    for (size_t i = 0; i < response->n_events; i++) {
        const Screening__V1__Event *event = response->events[i];
        if (!is_wanted(tail, event))
            continue;
        tail->exit_code = tail->session->json ? print_json(log, event) : print_line(log, event);
        tail->shown++;
        if (tail->exit_code != EXIT_DONE || tail->shown == tail->max)
            return false;
    }
    return fflush(stdout) == 0; /* after a failure, main reports it */
}

/* ---- arguments ---- */

/* Reads a start position such as "hospital:12". Returns false if it is malformed or its log is not wanted. */
static bool read_start(const char *text, struct event_start starts[PEER_COUNT])
{
    enum { DIGITS_MAX = 19 };
    for (int i = 0; i < PEER_COUNT; i++) {
        size_t length = strlen(PEERS[i].name);
        const char *digits = text + length + 1;
        if (!starts[i].wanted || strncmp(text, PEERS[i].name, length) != 0 || text[length] != ':')
            continue;
        size_t count = strlen(digits);
        if (count == 0 || count > DIGITS_MAX || strspn(digits, "0123456789") != count)
            return false;
        starts[i].at_head = false;
        starts[i].after_seq = strtoull(digits, NULL, 10);
        return true;
    }
    return false;
}

/* Sets which logs to read, and where to start. Returns EXIT_DONE, or EXIT_USAGE after printing an error. */
static int choose_starts(const struct command *command, const char *only, const struct text_list *after,
                         bool once, struct event_start starts[PEER_COUNT])
{
    enum peer_name chosen = only == NULL ? PEER_COUNT : peer_find(only);
    if (only != NULL && chosen != PEER_HOSPITAL && chosen != PEER_BOOKING)
        return usage_error(command, "--log: must be hospital or booking");
    starts[PEER_HOSPITAL].wanted = only == NULL || chosen == PEER_HOSPITAL;
    starts[PEER_BOOKING].wanted = only == NULL || chosen == PEER_BOOKING;
    starts[PEER_HOSPITAL].at_head = starts[PEER_BOOKING].at_head = !once;
    for (size_t i = 0; i < after->count; i++) {
        if (!read_start(after->texts[i], starts)) {
            return usage_error(command,
                               "--after: must be hospital:SEQ or booking:SEQ of a log that is shown");
        }
    }
    return EXIT_DONE;
}

static bool is_kept_out(const struct error *error)
{
    return error->status == STATUS_PERMISSION_DENIED || error->status == STATUS_UNAUTHENTICATED;
}

static int events_tail(struct session *session, const struct command *command, int argc, char **argv)
{
    struct tail tail = {.session = session};
    struct text_list after = {.count = 0};
    struct event_start starts[PEER_COUNT] = {{.wanted = false}};
    char *only = NULL, *service = NULL, *key = NULL;
    protobuf_c_boolean once = false;
    const struct argument arguments[] = {
        {"--log", &only, ARGUMENT_TEXT, false},
        {"--after", &after, ARGUMENT_LIST, false},
        {"--type", &tail.types, ARGUMENT_LIST, false},
        {"--booking", &tail.booking_id, ARGUMENT_TEXT, false},
        {"--hospital-id", &tail.hospital_id, ARGUMENT_HOSPITAL, false},
        {"--once", &once, ARGUMENT_SWITCH, false},
        {"--max", &tail.max, ARGUMENT_NUMBER, false},
        {"--service", &service, ARGUMENT_TEXT, false},
        {"--token-key", &key, ARGUMENT_TEXT, false},
    };
    int exit_code;
    if (!command_read(session, command, arguments, COUNT_OF(arguments), argc, argv, &exit_code))
        return exit_code;
    exit_code = choose_starts(command, only, &after, once, starts);
    if (exit_code != EXIT_DONE)
        return exit_code;
    if ((service == NULL) != (key == NULL))
        return usage_error(command, "--token-key: must be given together with --service");
    if (service != NULL && !pki_is_service(service))
        return usage_error(command, "--service %s: must be %s", service, PKI_SERVICE_LIST);
    struct error error;
    struct auth_signer *signer = NULL;
    if (key != NULL && auth_signer_open(key, service, &signer, &error) != STATUS_OK)
        return client_fail(&error);
    enum status status = event_follow(session, starts, once, signer, take, &tail, &error);
    auth_signer_close(signer);
    if (status == STATUS_OK)
        return tail.exit_code;
    return client_fail_more(
        &error, is_kept_out(&error) ? _("only services may read the logs: on the host of the service, call "
                                        "its socket (--hospital-addr, --booking-addr) as a service "
                                        "(--service, --token-key)")
                                    : NULL);
}

const struct command EVENTS_TAIL = {
    "events", "tail",
    "[--log hospital|booking] [--after LOG:SEQ]... [--type TYPE]... [--booking ID] [--hospital-id HOSPITAL] "
    "[--once] [--max N] [--service NAME --token-key FILE]",
    N_("prints the events of both logs as they happen; --once: only existing ones, from the first or --after on"),
    events_tail};
