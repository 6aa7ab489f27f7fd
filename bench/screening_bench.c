/*
 * Books, cancels and reads at a fixed rate, or with a fixed number of concurrent callers, and reports the
 * latencies and the resources used. The run fails if, at the end, the services do not store what their
 * answers promised, because a fast wrong answer is worthless.
 */
#include "arguments.h"
#include "load.h"
#include "report.h"
#include "stage.h"
#include "tally.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/civil.h"
#include "base/secret_file.h"
#include "base/standard_files.h"
#include "rpc/channel.h"

#include "screening/v1/booking.pb-c.h"
#include "screening/v1/hospital.pb-c.h"

enum { TOKEN_MAX = 8192, AUTHORIZATION_SIZE = TOKEN_MAX + sizeof "Bearer " };

struct bench {
    struct rpc_channel *channels[CONNECTIONS_MAX], *hospital_channel;
    struct rpc_client *clients[CONNECTIONS_MAX], *hospital;
    size_t connections;
    char authorization[AUTHORIZATION_SIZE]; /* "" = none */
    struct stage stage;
    struct tally tally;
};

static void read_token(struct bench *bench, const char *path)
{
    struct error error;
    struct secret_file file;
    if (secret_file_open("--token-file", path, TOKEN_MAX, &file, &error) != STATUS_OK) {
        fprintf(stderr, "screening-bench: %s\n", error.message);
        exit(2);
    }
    snprintf(bench->authorization, sizeof bench->authorization, "Bearer %.*s",
             (int)strcspn(file.bytes, "\r\n"), file.bytes);
    secret_file_close(&file);
}

static struct rpc_client *connect_to(const char *address, const char *server, const char *tls_ca,
                                     const ProtobufCServiceDescriptor *descriptor,
                                     struct rpc_channel **channel)
{
    struct error error;
    const struct rpc_channel_options options = {
        .address = address, .connect_now = true, .tls_ca = tls_ca, .tls_name = server};
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
    const char *authorization = NULL;
    if (arguments->token_file != NULL) {
        read_token(bench, arguments->token_file);
        authorization = bench->authorization;
    }
    bench->hospital = connect_to(arguments->hospital, "hospital-svc", arguments->tls_ca,
                                 &screening__v1__hospital_service__descriptor, &bench->hospital_channel);
    bench->connections = (size_t)arguments->connections;
    for (size_t i = 0; i < bench->connections; i++)
        bench->clients[i] = connect_to(arguments->booking, "booking-svc", arguments->tls_ca,
                                       &screening__v1__booking_service__descriptor, &bench->channels[i]);
    bench->stage.hospital = bench->hospital;
    bench->stage.booking = bench->clients[0];
    bench->stage.authorization = authorization;
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

static atomic_int interrupted; /* lock-free, as required in a signal handler */

static void interrupt(int number)
{
    atomic_store(&interrupted, number);
}

/*
 * Handles interrupts. The first SIGINT or SIGTERM ends the load early, with a report. The same signal again
 * ends the process.
 */
static void take_interrupts(void)
{
    struct sigaction action = {.sa_handler = interrupt, .sa_flags = (int)SA_RESETHAND | SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* Runs the load, checks the result, and reports. Returns whether the run was successful. */
static bool run(struct bench *bench, struct arguments *arguments)
{
    const struct load_options options = {
        .mix = arguments->mix,
        .hospital = bench->hospital,
        .clients = bench->clients,
        .client_count = bench->connections,
        .stage = &bench->stage,
        .authorization = bench->stage.authorization,
        .in_flight = (size_t)arguments->in_flight,
        .rate = arguments->rate,
        .budget_ms = (uint32_t)arguments->budget_ms,
        .warm_up_s = arguments->warm_up,
        .measured_s = arguments->seconds,
        .count = (uint64_t)arguments->count,
        .watch = &arguments->watch,
        .stop = &interrupted,
    };
    struct load_result result;
    struct stage_check check;
    if (!load_run(&options, &bench->tally, &result) || bench->tally.out_of_memory) {
        fprintf(stderr, "screening-bench: out of memory\n");
        return false;
    }
    if (!stage_verify(&bench->stage, &bench->tally, options.mix->must_sell_out, &check))
        return false;
    const struct report report = {&options, &result, &bench->tally, &check};
    report_print(&report);
    return (arguments->json == NULL || report_save(&report, arguments->json)) && check.agrees;
}

int main(int argc, char **argv)
{
    standard_files_open();
    struct arguments arguments;
    static struct bench bench;
    struct error error;
    arguments_read(argc, argv, &arguments);
    if (civil_zone_set("Asia/Seoul", &error) != STATUS_OK || !tally_init(&bench.tally)) {
        fprintf(stderr, "screening-bench: can't begin\n");
        return 1;
    }
    open_bench(&bench, &arguments);
    take_interrupts();
    bool good =
        stage_set(&bench.stage, (size_t)arguments.days, (uint32_t)arguments.places, arguments.mix->goes_on) &&
        run(&bench, &arguments);
    close_bench(&bench);
    stage_fini(&bench.stage);
    tally_fini(&bench.tally);
    return good ? 0 : 1;
}
