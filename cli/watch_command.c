/* screenctl watch: shows how days fill up, the services' rates, and history-svc's lag, until q is typed */
#include "client.h"
#include "command.h"
#include "date.h"
#include "message.h"
#include "output.h"
#include "patience.h"
#include "terminal.h"
#include "watch_days.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/civil.h"
#include "base/clock.h"
#include "base/uuid.h"

#include "rpc/v1/introspection.pb-c.h"

enum { CALL_TIMEOUT_MS = 1000, INTERVAL_DEFAULT_MS = 1000, INTERVAL_MIN_MS = 100, INTERVAL_MAX_MS = 60000 };

/* The counters of a service at one instant. Two samples give the rates. */
struct sample {
    bool known;
    int64_t calls;
    int64_t events; /* number of events that the service appended to its log, or applied from other logs */
};

struct watch {
    struct session *session;
    struct watch_days days;
    char hospital_id[UUID_TEXT_SIZE];
    int64_t sampled_ns;
    struct sample samples[PEER_COUNT];
    FILE *frame;
};

/* ---- the services ---- */

static struct sample sample_of(const Rpc__V1__StatsResponse *stats)
{
    struct sample sample = {.known = true};
    for (size_t i = 0; i < stats->n_stats; i++) {
        const Rpc__V1__Stat *stat = stats->stats[i];
        if (strcmp(stat->name, "rpc_server_calls_total") == 0)
            sample.calls = stat->value;
        else if (strcmp(stat->name, "events_appended_total") == 0 ||
                 (stats->program != NULL && strcmp(stats->program, "history-svc") == 0 &&
                  strcmp(stat->name, "events_applied_total") == 0))
            sample.events = stat->value;
    }
    return sample;
}

/* Adds a rate, or "-" if the counts are not comparable or have decreased, as after a restart. */
static void add_rate(struct watch *watch, struct table *table, bool comparable, int64_t now, int64_t before,
                     int64_t elapsed_ns)
{
    const double ns_per_s = NS_PER_S;
    const char *rate = NULL;
    if (comparable && now >= before && elapsed_ns > 0) {
        rate = arena_printf(&watch->session->arena, "%.0f",
                            (double)(now - before) * ns_per_s / (double)elapsed_ns);
    }
    table_text(table, rate == NULL ? "-" : rate);
}

static void add_service(struct watch *watch, struct table *table, enum peer_name peer, int64_t elapsed_ns)
{
    Rpc__V1__StatsRequest request = RPC__V1__STATS_REQUEST__INIT;
    struct error error = {.status = STATUS_OK};
    struct sample *before = &watch->samples[peer], now = {.known = false};
    const Rpc__V1__StatsResponse *stats =
        client_call_at(watch->session, peer, "Stats", &request.base, &error);
    const char *detail = error.message;
    if (stats != NULL) {
        now = sample_of(stats);
        detail = stats->n_degraded > 0 ? stats->degraded[0] : "";
    }
    bool comparable = now.known && before->known;
    table_text(table, PEERS[peer].program);
    table_text(table, status_name(stats != NULL ? STATUS_OK : error.status));
    add_rate(watch, table, comparable, now.calls, before->calls, elapsed_ns);
    add_rate(watch, table, comparable, now.events, before->events, elapsed_ns);
    table_text(table, detail);
    *before = now;
}

static void draw_services(struct watch *watch)
{
    static const struct table_column columns[] = {{N_("SERVICE"), false},
                                                  {N_("STATUS"), false},
                                                  {N_("CALLS/S"), true},
                                                  {N_("EVENTS/S"), true},
                                                  {N_("DETAIL"), false}};
    struct table table;
    int64_t now_ns = clock_monotonic_ns();
    table_init(&table, &watch->session->arena, columns, COUNT_OF(columns));
    table.layout.flexible = TABLE_COLUMN(4);
    table.width_max = terminal_columns();
    for (int i = 0; i < PEER_COUNT; i++)
        add_service(watch, &table, (enum peer_name)i, now_ns - watch->sampled_ns);
    watch->sampled_ns = now_ns;
    table_print(&table, watch->frame);
}

static void draw_lag(struct watch *watch)
{
    Screening__V1__GetProjectionStatusRequest request = SCREENING__V1__GET_PROJECTION_STATUS_REQUEST__INIT;
    struct error error;
    struct table table;
    const Screening__V1__GetProjectionStatusResponse *status =
        client_call(watch->session, "GetProjectionStatus", &request.base, &error);
    if (status == NULL)
        return;
    output_fill_projection(&table, watch->session, status);
    fputc('\n', watch->frame);
    table_print(&table, watch->frame);
}

/* ---- drawing ---- */

/* Returns the number of screen lines that remain below the text. */
static size_t lines_left(const char *text)
{
    size_t lines = terminal_lines(), used = 0;
    for (const char *at = text; *at != '\0'; at++)
        used += *at == '\n' ? 1 : 0;
    return used < lines ? lines - used : 0;
}

/* Draws the view. Returns false when out of memory. */
static bool draw(struct watch *watch)
{
    char *text = NULL, now[DATE_TIME_SIZE];
    size_t size = 0;
    arena_reset(&watch->session->arena); /* it contains only the previous frame */
    watch->frame = open_memstream(&text, &size);
    if (watch->frame == NULL)
        return false;
    fprintf(watch->frame, _("screenctl watch   %s   q quits\n\n"),
            date_time_format(clock_now_us() / US_PER_S, now));
    draw_services(watch);
    draw_lag(watch);
    fputc('\n', watch->frame);
    fflush(watch->frame);
    watch_days_draw(&watch->days, lines_left(text), watch->frame);
    bool drawn = fclose(watch->frame) == 0;
    if (drawn)
        terminal_show(text);
    free(text);
    return drawn;
}

static int run(struct watch *watch, uint32_t interval_ms)
{
    struct terminal terminal;
    terminal_open(&terminal);
    bool drawn, over = false;
    do {
        drawn = draw(watch);
        enum terminal_key key = terminal_wait(&terminal, interval_ms);
        over = key == TERMINAL_QUIT;
        if (key == TERMINAL_DOWN)
            watch->days.scroll++; /* watch_days_draw limits it */
        else if (key == TERMINAL_UP && watch->days.scroll > 0)
            watch->days.scroll--;
    } while (drawn && !over);
    terminal_close(&terminal);
    return drawn ? EXIT_DONE : client_fail_memory();
}

static int watch_all(struct session *session, const struct command *command, int argc, char **argv)
{
    struct watch watch = {.session = session, .days = {.session = session}};
    char *date = NULL;
    uint32_t interval_ms = INTERVAL_DEFAULT_MS;
    const struct argument arguments[] = {
        {"--date", &date, ARGUMENT_DATE, false},
        {"--hospital-id", &watch.days.hospital_id, ARGUMENT_HOSPITAL, false},
        {"--interval", &interval_ms, ARGUMENT_NUMBER, false},
    };
    int exit_code;
    if (!command_read(session, command, arguments, COUNT_OF(arguments), argc, argv, &exit_code))
        return exit_code;
    if (interval_ms < INTERVAL_MIN_MS || interval_ms > INTERVAL_MAX_MS)
        return usage_error(command, "--interval: must be %d to %d ms", INTERVAL_MIN_MS, INTERVAL_MAX_MS);
    if (session->json || !isatty(STDOUT_FILENO)) {
        return usage_error(command,
                           "watch needs a terminal; for scripts there are stats, projection and health");
    }
    if (date != NULL)
        snprintf(watch.days.date, sizeof watch.days.date, "%s", date);
    if (watch.days.hospital_id != NULL) { /* the id may be in the arena, which each frame resets */
        snprintf(watch.hospital_id, sizeof watch.hospital_id, "%s", watch.days.hospital_id);
        watch.days.hospital_id = watch.hospital_id;
    }
    patience_off();
    session->timeout_ms = session->timeout_ms < CALL_TIMEOUT_MS ? session->timeout_ms : CALL_TIMEOUT_MS;
    return run(&watch, interval_ms);
}

const struct command WATCH_ALL = {"watch", NULL, "[--date DATE] [--hospital-id HOSPITAL] [--interval MS]",
                                  N_("shows days, rates and lag live; arrow keys scroll, q quits"),
                                  watch_all};
