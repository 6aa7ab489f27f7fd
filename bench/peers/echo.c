/*
 * Measures nng alone, as an upper bound. The server answers 64 bytes with the same 64 bytes.
 *   bench-echo serve ADDRESS                               until SIGINT or SIGTERM; prints "ready"
 *   bench-echo load ADDRESS IN_FLIGHT WARM_UP_S SECONDS    two connections; prints the figures as JSON
 */
#include "latency.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/standard_files.h"

enum { BODY_SIZE = 64, CONNECTIONS = 2, SERVED_AT_ONCE = 2048, IN_FLIGHT_MAX = 100000 };

static void need(int rv, const char *what)
{
    if (rv == 0)
        return;
    fprintf(stderr, "bench-echo: %s: %s\n", what, nng_strerror(rv));
    exit(1);
}

/* ---- the server, with as many concurrent requests as contexts ---- */

struct answering {
    nng_aio *aio;
    nng_ctx context;
    bool sending;
};

static void answer(void *argument)
{
    struct answering *answering = argument;
    int rv = nng_aio_result(answering->aio);
    if (rv == NNG_ECLOSED)
        return;
    if (rv != 0 && answering->sending)
        nng_msg_free(nng_aio_get_msg(answering->aio)); /* the caller has disconnected */
    answering->sending = !answering->sending && rv == 0;
    if (answering->sending)
        nng_ctx_send(answering->context, answering->aio); /* sends the received message back */
    else
        nng_ctx_recv(answering->context, answering->aio);
}

static int serve(const char *address)
{
    static struct answering answerings[SERVED_AT_ONCE];
    nng_socket socket;
    sigset_t signals;
    int number;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* must precede the start of nng's threads */
    need(nng_rep0_open(&socket), "rep");
    for (int i = 0; i < SERVED_AT_ONCE; i++) {
        need(nng_ctx_open(&answerings[i].context, socket), "context");
        need(nng_aio_alloc(&answerings[i].aio, answer, &answerings[i]), "aio");
        nng_ctx_recv(answerings[i].context, answerings[i].aio);
    }
    need(nng_listen(socket, address, NULL, 0), address);
    puts("ready");
    fflush(stdout);
    sigwait(&signals, &number);
    return 0;
}

/* ---- the load, in which each answer triggers the next request ---- */

struct connection {
    nng_socket socket;
    pthread_mutex_t lock; /* guards the following members */
    struct latency latency;
    size_t under_way;
    pthread_cond_t all_answered;
};

struct asking {
    struct connection *connection;
    nng_ctx context;
    nng_aio *aio;
    bool sending;
    int64_t begin_ns;
};

static int64_t measure_from_ns, end_ns; /* set before the first request is sent */

static void ask(struct asking *asking, nng_msg *message)
{
    asking->begin_ns = clock_monotonic_ns();
    asking->sending = true;
    nng_aio_set_msg(asking->aio, message);
    nng_ctx_send(asking->context, asking->aio);
}

/* Counts the latency of an answer if the answer arrived during the measured time. */
static void count(struct asking *asking, int64_t now_ns)
{
    struct connection *connection = asking->connection;
    if (now_ns < measure_from_ns || now_ns >= end_ns)
        return;
    pthread_mutex_lock(&connection->lock);
    latency_add(&connection->latency, (now_ns - asking->begin_ns) / NS_PER_US);
    pthread_mutex_unlock(&connection->lock);
}

static void step(void *argument)
{
    struct asking *asking = argument;
    struct connection *connection = asking->connection;
    need(nng_aio_result(asking->aio), asking->sending ? "sending" : "receiving");
    if (asking->sending) {
        asking->sending = false;
        nng_ctx_recv(asking->context, asking->aio);
        return;
    }
    int64_t now_ns = clock_monotonic_ns();
    count(asking, now_ns);
    nng_msg *message = nng_aio_get_msg(asking->aio);
    if (now_ns < end_ns) {
        ask(asking, message);
        return;
    }
    nng_msg_free(message);
    pthread_mutex_lock(&connection->lock);
    if (--connection->under_way == 0)
        pthread_cond_signal(&connection->all_answered);
    pthread_mutex_unlock(&connection->lock);
}

static void open_connection(struct connection *connection, const char *address)
{
    pthread_mutex_init(&connection->lock, NULL);
    pthread_cond_init(&connection->all_answered, NULL);
    need(nng_req0_open(&connection->socket), "req");
    need(nng_dial(connection->socket, address, NULL, 0), address);
}

static void start(struct connection *connections, size_t in_flight)
{
    struct asking *askings = calloc(in_flight, sizeof *askings); /* never freed */
    need(askings == NULL ? NNG_ENOMEM : 0, "load");
    for (size_t i = 0; i < in_flight; i++) {
        askings[i].connection = &connections[i % CONNECTIONS];
        askings[i].connection->under_way++;
        need(nng_ctx_open(&askings[i].context, askings[i].connection->socket), "context");
        need(nng_aio_alloc(&askings[i].aio, step, &askings[i]), "aio");
    }
    for (size_t i = 0; i < in_flight; i++) {
        nng_msg *message;
        need(nng_msg_alloc(&message, BODY_SIZE), "message");
        memset(nng_msg_body(message), 'x', BODY_SIZE);
        ask(&askings[i], message);
    }
}

static void wait_and_add(struct connection *connection, struct latency *sum)
{
    pthread_mutex_lock(&connection->lock);
    while (connection->under_way > 0)
        pthread_cond_wait(&connection->all_answered, &connection->lock);
    pthread_mutex_unlock(&connection->lock);
    for (int i = 0; i < LATENCY_COUNTS; i++)
        sum->counts[i] += connection->latency.counts[i];
    sum->total += connection->latency.total;
    if (connection->latency.max_us > sum->max_us)
        sum->max_us = connection->latency.max_us;
}

static int load(const char *address, size_t in_flight, double warm_up_s, double measured_s)
{
    static struct connection connections[CONNECTIONS];
    static struct latency latency;
    for (int i = 0; i < CONNECTIONS; i++)
        open_connection(&connections[i], address);
    measure_from_ns = clock_monotonic_ns() + (int64_t)(warm_up_s * NS_PER_S);
    end_ns = measure_from_ns + (int64_t)(measured_s * NS_PER_S);
    start(connections, in_flight);
    for (int i = 0; i < CONNECTIONS; i++)
        wait_and_add(&connections[i], &latency);
    printf(
        "{\"in_flight\": %zu, \"measured_s\": %.3f, \"per_s\": %.1f, \"p50_ms\": %.3f, \"p99_ms\": %.3f}\n",
        in_flight, measured_s, (double)latency.total / measured_s,
        (double)latency_quantile(&latency, 0.5) / US_PER_MS,
        (double)latency_quantile(&latency, 0.99) / US_PER_MS);
    return 0;
}

int main(int argc, char **argv)
{
    standard_files_open();
    if (argc == 3 && strcmp(argv[1], "serve") == 0)
        return serve(argv[2]);
    if (argc == 6 && strcmp(argv[1], "load") == 0) {
        unsigned long in_flight = strtoul(argv[3], NULL, 10);
        double warm_up_s = strtod(argv[4], NULL), measured_s = strtod(argv[5], NULL);
        if (in_flight >= 1 && in_flight <= IN_FLIGHT_MAX && warm_up_s >= 0 && measured_s > 0)
            return load(argv[2], in_flight, warm_up_s, measured_s);
    }
    fprintf(stderr, "usage: bench-echo serve ADDRESS\n"
                    "       bench-echo load ADDRESS IN_FLIGHT WARM_UP_S SECONDS\n");
    return 2;
}
