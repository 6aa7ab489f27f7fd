/* Reads the command-line options of screening-bench. */
#ifndef SCREENING_BENCH_ARGUMENTS_H
#define SCREENING_BENCH_ARGUMENTS_H

#include "mix.h"
#include "watch.h"

enum { CONNECTIONS_MAX = 64 };

struct arguments {
    const struct mix *mix;
    double in_flight, rate, seconds, count, warm_up, budget_ms, days, places, connections;
    struct watch watch;
    const char *json;       /* path of the JSON report; NULL = none */
    const char *token_file; /* holds the token of all calls; NULL = they have none */
    const char *tls_ca;     /* for addresses with TLS: a PEM file with the trusted authorities; NULL = none */
    const char *hospital, *booking;
};

/* Parses the arguments. If one is invalid, prints the usage on stderr and exits with code 2. */
void arguments_read(int argc, char **argv, struct arguments *arguments);

#endif
