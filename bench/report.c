#include "report.h"

#include <jansson.h>
#include <stdio.h>

#include "base/clock.h"

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
    return (double)count / report->result->measured_s;
}

static void print_load(const struct report *report)
{
    const struct load_options *options = report->options;
    if (is_open_loop(report))
        printf("open loop, %.0f calls/s", options->rate);
    else
        printf("closed loop, %zu in flight", options->in_flight);
    printf(", budget %u ms, %zu day%s, %zu connection%s, %.1f s after %.1f s of warm-up\n",
           options->budget_ms, options->stage->day_count, options->stage->day_count == 1 ? "" : "s",
           options->client_count, options->client_count == 1 ? "" : "s", options->measured_s,
           options->warm_up_s);
}

void report_print(const struct report *report)
{
    const struct tally *tally = report->tally;
    print_load(report);
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
    printf("places: %llu taken, %llu confirmed, %llu confirmed after their answers: %s\n",
           (unsigned long long)report->check->taken, (unsigned long long)report->check->confirmed,
           (unsigned long long)report->check->confirmed_late,
           report->check->agrees ? "they agree" : "THEY DO NOT AGREE");
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

static json_t *report_json(const struct report *report, json_t *outcomes)
{
    const struct load_options *options = report->options;
    const struct load_result *result = report->result;
    const struct stage_check *check = report->check;
    return json_pack(
        "{s:s, s:I, s:f, s:I, s:I, s:I, s:f, s:f, s:I, s:I, s:f, s:o, s:{s:I, s:I, s:I, s:b}}", "mode",
        is_open_loop(report) ? "open" : "closed", "in_flight", (json_int_t)options->in_flight, "rate",
        options->rate, "budget_ms", (json_int_t)options->budget_ms, "days",
        (json_int_t)options->stage->day_count, "connections", (json_int_t)options->client_count, "warm_up_s",
        options->warm_up_s, "measured_s", result->measured_s, "sent", (json_int_t)result->sent, "not_sent",
        (json_int_t)result->not_sent, "late_max_ms", ms_of(result->late_max_us), "outcomes", outcomes,
        "places", "taken", (json_int_t)check->taken, "confirmed", (json_int_t)check->confirmed,
        "confirmed_late", (json_int_t)check->confirmed_late, "agree", (int)check->agrees);
}

bool report_save(const struct report *report, const char *path)
{
    json_t *outcomes = json_object();
    for (size_t i = 0; i < report->tally->outcome_count; i++) {
        const struct outcome *outcome = &report->tally->outcomes[i];
        (void)json_object_set_new(outcomes, outcome->name, outcome_json(report, outcome));
    }
    json_t *json = report_json(report, outcomes);
    bool saved = json != NULL && json_dump_file(json, path, JSON_INDENT(1)) == 0;
    if (!saved)
        fprintf(stderr, "%s: can't be written\n", path);
    json_decref(json);
    return saved;
}
