#include "arguments.h"

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    IN_FLIGHT_MAX = 100000,
    RATE_MAX = 1000000,
    SECONDS_MAX = 86400,
    COUNT_MAX = 1000000000,
    BUDGET_MAX_MS = 60000,
    SECONDS_USUAL = 10
};

static const char USAGE[] = "usage: screening-bench [OPTIONS] HOSPITAL_ADDRESS BOOKING_ADDRESS\n"
                            "  --mix NAME        what the callers do:\n";
static const char USAGE_OPTIONS[] =
    "  --in-flight N     closed loop with N turns of callers under way (64)\n"
    "  --rate R          open loop with R turns per second instead\n"
    "  --seconds S       measured, after the warm-up (10)\n"
    "  --count N         turns instead of a time, without warm-up\n"
    "  --warm-up S       not counted (1)\n"
    "  --budget-ms B     of each request (1000)\n"
    "  --days N          booked in turn (1; many-days: 1000)\n"
    "  --places N        per day (100000; sold-out: 100)\n"
    "  --connections N   to booking-svc (1)\n"
    "  --watch NAME=PID  a process whose use of the machine is printed too; may be repeated\n"
    "  --token-file FILE with the token of all calls\n"
    "  --tls-ca FILE     with the authorities of servers, for tls+tcp://HOST:PORT\n"
    "  --json FILE       save the figures\n";

static _Noreturn void show_usage(void)
{
    fputs(USAGE, stderr);
    for (const struct mix *mix = MIXES; mix->name != NULL; mix++)
        fprintf(stderr, "      %-12s  %s\n", mix->name, mix->help);
    fputs(USAGE_OPTIONS, stderr);
    exit(2);
}

static _Noreturn void refuse(const char *text, const char *rule)
{
    fprintf(stderr, "screening-bench: %s: %s\n", text, rule);
    show_usage();
}

static double number(const char *text, double least, double most)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= least && value <= most)) {
        char rule[64];
        snprintf(rule, sizeof rule, "must be %.10g to %.10g", least, most);
        refuse(text, rule);
    }
    return value;
}

static void read_mix(struct arguments *arguments, const char *text)
{
    arguments->mix = mix_find(text);
    if (arguments->mix == NULL)
        refuse(text, "no such mix");
}

static void read_watch(struct arguments *arguments, const char *text)
{
    if (!watch_add_text(&arguments->watch, text))
        refuse(text, "must be NAME=PID, of a few processes");
}

static void read_json(struct arguments *arguments, const char *text)
{
    arguments->json = text;
}

static void read_token_file(struct arguments *arguments, const char *text)
{
    arguments->token_file = text;
}

static void read_tls_ca(struct arguments *arguments, const char *text)
{
    arguments->tls_ca = text;
}

static const struct {
    const char *name;
    size_t offset; /* offset of the member, a double, in struct arguments */
    double least, most;
} NUMBERS[] = {
    {"in-flight", offsetof(struct arguments, in_flight), 1, IN_FLIGHT_MAX},
    {"rate", offsetof(struct arguments, rate), 1, RATE_MAX},
    {"seconds", offsetof(struct arguments, seconds), 0.1, SECONDS_MAX},
    {"count", offsetof(struct arguments, count), 1, COUNT_MAX},
    {"warm-up", offsetof(struct arguments, warm_up), 0, SECONDS_MAX},
    {"budget-ms", offsetof(struct arguments, budget_ms), 1, BUDGET_MAX_MS},
    {"days", offsetof(struct arguments, days), 1, STAGE_DAYS_MAX},
    {"places", offsetof(struct arguments, places), 1, STAGE_PLACES_MAX},
    {"connections", offsetof(struct arguments, connections), 1, CONNECTIONS_MAX},
};

static const struct {
    const char *name;
    void (*read)(struct arguments *, const char *);
} TEXTS[] = {{"mix", read_mix},
             {"watch", read_watch},
             {"json", read_json},
             {"token-file", read_token_file},
             {"tls-ca", read_tls_ca}};

#define NUMBER_COUNT (sizeof NUMBERS / sizeof NUMBERS[0])
#define TEXT_COUNT   (sizeof TEXTS / sizeof TEXTS[0])

static void read_number(struct arguments *arguments, size_t index, const char *text)
{
    double value = number(text, NUMBERS[index].least, NUMBERS[index].most);
    memcpy((char *)arguments + NUMBERS[index].offset, &value, sizeof value);
}

/* Sets each missing option to the default of the mix. A run of N turns has no warm-up. */
static void complete(struct arguments *arguments)
{
    const struct mix *mix = arguments->mix;
    if (arguments->days == 0)
        arguments->days = (double)mix->days_at_once;
    if (arguments->places == 0)
        arguments->places = mix->places;
    if (arguments->count == 0 && arguments->seconds == 0)
        arguments->count = (double)mix->count;
    if (arguments->seconds == 0)
        arguments->seconds = SECONDS_USUAL;
    if (arguments->count > 0)
        arguments->warm_up = 0;
}

void arguments_read(int argc, char **argv, struct arguments *arguments)
{
    *arguments =
        (struct arguments){.mix = MIXES, .in_flight = 64, .warm_up = 1, .budget_ms = 1000, .connections = 1};
    (void)watch_add(&arguments->watch, "screening-bench", getpid());
    struct option options[NUMBER_COUNT + TEXT_COUNT + 1] = {{0}};
    for (size_t i = 0; i < NUMBER_COUNT; i++)
        options[i] = (struct option){NUMBERS[i].name, required_argument, NULL, 0};
    for (size_t i = 0; i < TEXT_COUNT; i++)
        options[NUMBER_COUNT + i] = (struct option){TEXTS[i].name, required_argument, NULL, 0};
    int index, found;
    while ((found = getopt_long(argc, argv, "", options, &index)) == 0)
        if (index >= (int)NUMBER_COUNT)
            TEXTS[index - (int)NUMBER_COUNT].read(arguments, optarg);
        else
            read_number(arguments, (size_t)index, optarg);
    if (found != -1 || argc - optind != 2)
        show_usage();
    arguments->hospital = argv[optind];
    arguments->booking = argv[optind + 1];
    complete(arguments);
}
