/*
 * Books at a fixed rate, or with a fixed number of calls in flight, and tells how long what took. It fails
 * if, at the end, the places taken are not those of the bookings confirmed: a fast wrong answer is a failed
 * run.
 */
#include "load.h"
#include "report.h"
#include "stage.h"
#include "tally.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/civil.h"
#include "rpc/channel.h"

#include "screening/v1/booking.pb-c.h"
#include "screening/v1/hospital.pb-c.h"

enum {
    CONNECTIONS_MAX = 64,
    IN_FLIGHT_MAX = 100000,
    RATE_MAX = 1000000,
    SECONDS_MAX = 86400,
    BUDGET_MAX_MS = 60000
};

static const char USAGE[] = "usage: screening-bench [OPTIONS] HOSPITAL_ADDRESS BOOKING_ADDRESS\n"
                            "  --in-flight N    closed loop with N calls in flight (64)\n"
                            "  --rate R         open loop with R calls per second instead\n"
                            "  --seconds S      measured, after the warm-up (10)\n"
                            "  --warm-up S      not counted (1)\n"
                            "  --budget-ms B    of each call (1000)\n"
                            "  --days N         to spread the bookings over (1)\n"
                            "  --places N       per day (100000)\n"
                            "  --connections N  to booking-svc (1)\n"
                            "  --json FILE      save the figures\n";

struct arguments {
    double in_flight, rate, seconds, warm_up, budget_ms, days, places, connections;
    const char *json, *hospital, *booking;
};

struct bench {
    struct rpc_channel *channels[CONNECTIONS_MAX], *hospital_channel;
    struct rpc_client *clients[CONNECTIONS_MAX], *hospital;
    size_t connections;
    struct stage stage;
    struct tally tally;
};

static double number(const char *text, double least, double most)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= least && value <= most)) {
        fprintf(stderr, "screening-bench: %s: must be %g to %g\n%s", text, least, most, USAGE);
        exit(2);
    }
    return value;
}

static struct arguments read_arguments(int argc, char **argv)
{
    struct arguments arguments = {.in_flight = 64,
                                  .seconds = 10,
                                  .warm_up = 1,
                                  .budget_ms = 1000,
                                  .days = 1,
                                  .places = STAGE_PLACES_MAX,
                                  .connections = 1};
    const struct {
        const char *name;
        double *value, least, most;
    } numbers[] = {
        {"in-flight", &arguments.in_flight, 1, IN_FLIGHT_MAX},
        {"rate", &arguments.rate, 1, RATE_MAX},
        {"seconds", &arguments.seconds, 0.1, SECONDS_MAX},
        {"warm-up", &arguments.warm_up, 0, SECONDS_MAX},
        {"budget-ms", &arguments.budget_ms, 1, BUDGET_MAX_MS},
        {"days", &arguments.days, 1, STAGE_DAYS_MAX},
        {"places", &arguments.places, 1, STAGE_PLACES_MAX},
        {"connections", &arguments.connections, 1, CONNECTIONS_MAX},
    };
    enum { NUMBERS = sizeof numbers / sizeof numbers[0] };
    struct option options[NUMBERS + 2] = {[NUMBERS] = {"json", required_argument, NULL, 0}};
    for (int i = 0; i < NUMBERS; i++)
        options[i] = (struct option){numbers[i].name, required_argument, NULL, 0};
    int index, found;
    while ((found = getopt_long(argc, argv, "", options, &index)) == 0) {
        if (index == NUMBERS)
            arguments.json = optarg;
        else
            *numbers[index].value = number(optarg, numbers[index].least, numbers[index].most);
    }
    if (found != -1 || argc - optind != 2) {
        fputs(USAGE, stderr);
        exit(2);
    }
    arguments.hospital = argv[optind];
    arguments.booking = argv[optind + 1];
    return arguments;
}

static struct rpc_client *connect_to(const char *address, const ProtobufCServiceDescriptor *descriptor,
                                     struct rpc_channel **channel)
{
    struct error error;
    const struct rpc_channel_options options = {.address = address, .connect_now = true};
    if (rpc_channel_open(&options, channel, &error) != STATUS_OK) {
        fprintf(stderr, "screening-bench: %s: %s\n", address, error.message);
        exit(1);
    }
    struct rpc_client *client = rpc_client_create(*channel, descriptor);
    if (client == NULL) {
        fprintf(stderr, "screening-bench: out of memory\n");
        exit(1);
    }
    return client;
}

static void open_bench(struct bench *bench, const struct arguments *arguments)
{
    bench->hospital = connect_to(arguments->hospital, &screening__v1__hospital_service__descriptor,
                                 &bench->hospital_channel);
    bench->connections = (size_t)arguments->connections;
    for (size_t i = 0; i < bench->connections; i++)
        bench->clients[i] =
            connect_to(arguments->booking, &screening__v1__booking_service__descriptor, &bench->channels[i]);
    bench->stage.hospital = bench->hospital;
    bench->stage.booking = bench->clients[0];
}

static void close_bench(struct bench *bench)
{
    for (size_t i = 0; i < bench->connections; i++) {
        rpc_client_destroy(bench->clients[i]);
        rpc_channel_close(bench->channels[i]);
    }
    rpc_client_destroy(bench->hospital);
    rpc_channel_close(bench->hospital_channel);
}

/* Whether the run was a good one. */
static bool run(struct bench *bench, const struct arguments *arguments)
{
    const struct load_options options = {
        .clients = bench->clients,
        .client_count = bench->connections,
        .stage = &bench->stage,
        .in_flight = (size_t)arguments->in_flight,
        .rate = arguments->rate,
        .budget_ms = (uint32_t)arguments->budget_ms,
        .warm_up_s = arguments->warm_up,
        .measured_s = arguments->seconds,
    };
    struct load_result result;
    struct stage_check check;
    if (!load_run(&options, &bench->tally, &result) || bench->tally.out_of_memory) {
        fprintf(stderr, "screening-bench: out of memory\n");
        return false;
    }
    if (!stage_verify(&bench->stage, &bench->tally, &check))
        return false;
    const struct report report = {&options, &result, &bench->tally, &check};
    report_print(&report);
    return (arguments->json == NULL || report_save(&report, arguments->json)) && check.agrees;
}

int main(int argc, char **argv)
{
    struct arguments arguments = read_arguments(argc, argv);
    static struct bench bench;
    struct error error;
    if (civil_zone_set("Asia/Seoul", &error) != STATUS_OK || !tally_init(&bench.tally)) {
        fprintf(stderr, "screening-bench: can't begin\n");
        return 1;
    }
    open_bench(&bench, &arguments);
    bool good = stage_set(&bench.stage, (size_t)arguments.days, (uint32_t)arguments.places) &&
                run(&bench, &arguments);
    close_bench(&bench);
    stage_fini(&bench.stage);
    tally_fini(&bench.tally);
    return good ? 0 : 1;
}
