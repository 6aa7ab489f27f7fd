#include "report.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

enum { KIB_PER_MIB = 1024 };

static double ms_of(int64_t us)
{
    return (double)us / US_PER_MS;
}

static bool is_open_loop(const struct report *report)
{
    return report->options->rate > 0;
}

static double per_second(const struct report *report, uint64_t count)
{
    return report->result->measured_s > 0 ? (double)count / report->result->measured_s : 0;
}

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

static void print_load(const struct report *report)
{
    const struct load_options *options = report->options;
    printf("%s: ", options->mix->name);
    if (is_open_loop(report))
        printf("open loop, %.0f %ss/s", options->rate, options->mix->turn_name);
    else
        printf("closed loop, %zu in flight", options->in_flight);
    printf(", budget %u ms, %zu day%s at once, %zu connection%s, %.1f s", options->budget_ms,
           options->stage->at_once, plural(options->stage->at_once), options->client_count,
           plural(options->client_count), report->result->measured_s);
    if (options->warm_up_s > 0)
        printf(" after %.1f s of warm-up", options->warm_up_s);
    putchar('\n');
}

static void print_outcomes(const struct report *report)
{
    const struct tally *tally = report->tally;
    printf("%-40s %9s %9s %9s %9s %9s %9s\n", "outcome", "count", "per s", "p50 ms", "p99 ms", "p99.9 ms",
           "max ms");
    for (size_t i = 0; i < tally->outcome_count; i++) {
        const struct latency *latency = &tally->outcomes[i].latency;
        printf("%-40s %9llu %9.0f %9.2f %9.2f %9.2f %9.2f\n", tally->outcomes[i].name,
               (unsigned long long)latency->total, per_second(report, latency->total),
               ms_of(latency_quantile(latency, 0.5)), ms_of(latency_quantile(latency, 0.99)),
               ms_of(latency_quantile(latency, 0.999)), ms_of(latency->max_us));
    }
    for (size_t i = 0; i < tally->outcome_count; i++)
        if (tally->outcomes[i].first_message[0] != '\0')
            printf("%s: \"%s\"\n", tally->outcomes[i].name, tally->outcomes[i].first_message);
    if (is_open_loop(report))
        printf("left late by at most %.2f ms; not sent: %llu\n", ms_of(report->result->late_max_us),
               (unsigned long long)report->result->not_sent);
}

static double per_turn(const struct report *report, int64_t value)
{
    return report->result->turns > 0 ? (double)value / (double)report->result->turns : 0;
}

static void print_used(const struct report *report)
{
    const struct watch *watch = report->options->watch;
    printf("%-16s %7s %8s %7s %7s | per %s: %7s %7s %7s %7s %9s %9s\n", "process", "user s", "kernel s",
           "RSS MiB", "peak", report->options->mix->turn_name, "user us", "kern us", "waits", "preempt",
           "written B", "disk B");
    for (size_t i = 0; i < watch->count; i++) {
        const struct watched *watched = &watch->processes[i];
        const struct usage used = watch_used(watched);
        if (!watched->readable) {
            printf("%-16s can't be read\n", watched->name);
            continue;
        }
        printf("%-16s %7.2f %8.2f %7.1f %7.1f | %*s %7.1f %7.1f %7.2f %7.2f %9.0f %9.0f\n", watched->name,
               (double)used.user_us / US_PER_S, (double)used.kernel_us / US_PER_S,
               (double)used.rss_kib / KIB_PER_MIB, (double)used.rss_peak_kib / KIB_PER_MIB,
               (int)strlen(report->options->mix->turn_name) + 5, "", per_turn(report, used.user_us),
               per_turn(report, used.kernel_us), per_turn(report, used.voluntary),
               per_turn(report, used.involuntary), per_turn(report, used.written_bytes),
               per_turn(report, used.stored_bytes));
    }
}

static void print_check(const struct report *report)
{
    const struct stage_check *check = report->check;
    printf("places: %llu taken of %llu%s; %llu confirmed, %llu confirmed after their answers, %llu cancelled",
           (unsigned long long)check->taken, (unsigned long long)check->places,
           check->sold_out ? ", sold out" : "", (unsigned long long)check->confirmed,
           (unsigned long long)check->confirmed_late, (unsigned long long)check->cancelled);
    if (check->listed)
        printf("; booking-svc holds %llu", (unsigned long long)check->live);
    if (check->wrong > 0)
        printf("; %llu WRONG ANSWERS", (unsigned long long)check->wrong);
    printf(": %s\n", check->agrees ? "they agree" : "THEY DO NOT AGREE");
}

void report_print(const struct report *report)
{
    print_load(report);
    print_outcomes(report);
    print_used(report);
    print_check(report);
}

static json_t *latency_json(const struct latency *latency)
{
    return json_pack("{s:f, s:f, s:f, s:f, s:f}", "mean_ms", latency_mean(latency) / US_PER_MS, "p50_ms",
                     ms_of(latency_quantile(latency, 0.5)), "p99_ms", ms_of(latency_quantile(latency, 0.99)),
                     "p99_9_ms", ms_of(latency_quantile(latency, 0.999)), "max_ms", ms_of(latency->max_us));
}

static json_t *outcome_json(const struct report *report, const struct outcome *outcome)
{
    return json_pack("{s:I, s:f, s:o, s:o}", "count", (json_int_t)outcome->latency.total, "per_s",
                     per_second(report, outcome->latency.total), "latency", latency_json(&outcome->latency),
                     "from_sending", latency_json(&outcome->from_sending));
}

/* Returns the figures of a process, or a JSON null if they could not be read. */
static json_t *watched_json(const struct report *report, const struct watched *watched)
{
    const struct usage used = watch_used(watched);
    if (!watched->readable)
        return json_null();
    return json_pack(
        "{s:f, s:f, s:I, s:I, s:{s:f, s:f, s:f, s:f, s:f, s:f}}", "user_s", (double)used.user_us / US_PER_S,
        "kernel_s", (double)used.kernel_us / US_PER_S, "rss_kib", (json_int_t)used.rss_kib, "rss_peak_kib",
        (json_int_t)used.rss_peak_kib, "per_turn", "user_us", per_turn(report, used.user_us), "kernel_us",
        per_turn(report, used.kernel_us), "voluntary_switches", per_turn(report, used.voluntary),
        "involuntary_switches", per_turn(report, used.involuntary), "written_bytes",
        per_turn(report, used.written_bytes), "stored_bytes", per_turn(report, used.stored_bytes));
}

static json_t *outcomes_json(const struct report *report)
{
    json_t *outcomes = json_object();
    for (size_t i = 0; i < report->tally->outcome_count; i++) {
        const struct outcome *outcome = &report->tally->outcomes[i];
        (void)json_object_set_new(outcomes, outcome->name, outcome_json(report, outcome));
    }
    return outcomes;
}

static json_t *processes_json(const struct report *report)
{
    const struct watch *watch = report->options->watch;
    json_t *processes = json_object();
    for (size_t i = 0; i < watch->count; i++)
        (void)json_object_set_new(processes, watch->processes[i].name,
                                  watched_json(report, &watch->processes[i]));
    return processes;
}

static json_t *check_json(const struct stage_check *check)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:o, s:I, s:b, s:b}", "taken", (json_int_t)check->taken, "of",
                     (json_int_t)check->places, "confirmed", (json_int_t)check->confirmed, "confirmed_late",
                     (json_int_t)check->confirmed_late, "cancelled", (json_int_t)check->cancelled, "live",
                     check->listed ? json_integer((json_int_t)check->live) : json_null(), "wrong_answers",
                     (json_int_t)check->wrong, "sold_out", (int)check->sold_out, "agree", (int)check->agrees);
}

static json_t *report_json(const struct report *report)
{
    const struct load_options *options = report->options;
    const struct load_result *result = report->result;
    return json_pack(
        "{s:s, s:s, s:I, s:f, s:I, s:I, s:I, s:f, s:f, s:I, s:I, s:f, s:o, s:o, s:o}", "mix",
        options->mix->name, "mode", is_open_loop(report) ? "open" : "closed", "in_flight",
        (json_int_t)options->in_flight, "rate", options->rate, "budget_ms", (json_int_t)options->budget_ms,
        "days", (json_int_t)options->stage->at_once, "connections", (json_int_t)options->client_count,
        "warm_up_s", options->warm_up_s, "measured_s", result->measured_s, "turns", (json_int_t)result->turns,
        "not_sent", (json_int_t)result->not_sent, "late_max_ms", ms_of(result->late_max_us), "outcomes",
        outcomes_json(report), "processes", processes_json(report), "places", check_json(report->check));
}

bool report_save(const struct report *report, const char *path)
{
    json_t *json = report_json(report);
    bool saved = json != NULL && json_dump_file(json, path, JSON_INDENT(1)) == 0;
    if (!saved)
        fprintf(stderr, "%s: can't be written\n", path);
    json_decref(json);
    return saved;
}
