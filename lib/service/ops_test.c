#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/metrics.h"
#include "base/unit_testing.h"
#include "service/ops.h"

enum { ANSWER_SIZE = 65536, ADDRESS_SIZE = 64, DEADLINE_S = 60 };

static const char *_Atomic not_ready_because; /* NULL = ready; read by the server's thread */
static struct metric refreshed = METRIC("test_refreshed", "Set when the page is asked for");
static struct metric labelled = METRIC_LABELLED("test_total", "One of a family", "kind=\"a\"");
static struct metric labelled_too = METRIC_LABELLED("test_total", "One of a family", "kind=\"b\"");
static struct histogram times = HISTOGRAM("test_seconds", "Times", 1000, 1e-6);

static const char *report_not_ready(void *context)
{
    (void)context;
    return not_ready_because;
}

static void refresh(void *context)
{
    (void)context;
    metric_set(&refreshed, 42);
}

/* Opens a listener on a port that the system chooses, and sets *port. */
static int take_port(int *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    *port = ntohs(at.sin_port);
    return fd;
}

static enum status open_at(const char *address, struct ops_server **ops, struct error *error)
{
    const struct ops_options options = {.listen = address, .not_ready = report_not_ready, .refresh = refresh};
    return ops_open(&options, ops, error);
}

static struct ops_server *open_free(int *port)
{
    char address[ADDRESS_SIZE];
    struct ops_server *ops = NULL;
    close(take_port(port));
    (void)snprintf(address, sizeof address, "127.0.0.1:%d", *port);
    assert_int_equal(open_at(address, &ops, NULL), STATUS_OK);
    return ops;
}

static int connect_to(int port)
{
    const struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval limit = {.tv_sec = DEADLINE_S};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

/* Sends the request `line` and reads the answer until the server closes the connection. */
static void ask(int port, const char *line, char answer[ANSWER_SIZE])
{
    char request[256];
    int fd = connect_to(port);
    int size = snprintf(request, sizeof request, "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", line);
    assert_int_equal(send(fd, request, (size_t)size, 0), size);
    size_t used = 0;
    ssize_t got;
    while ((got = recv(fd, answer + used, ANSWER_SIZE - 1 - used, 0)) > 0)
        used += (size_t)got;
    answer[used] = '\0';
    close(fd);
}

static void assert_answer(int port, const char *line, const char *first_line, const char *body)
{
    static char answer[ANSWER_SIZE];
    ask(port, line, answer);
    assert_memory_equal(answer, first_line, strlen(first_line));
    const char *end_of_head = strstr(answer, "\r\n\r\n");
    assert_non_null(end_of_head);
    assert_string_equal(end_of_head + 4, body);
}

static void test_ops_paths_and_methods_are_answered_as_promised(void **state)
{
    (void)state;
    int port;
    struct ops_server *ops = open_free(&port);
    not_ready_because = NULL;
    assert_answer(port, "GET /livez", "HTTP/1.1 200 ", "alive\n");
    assert_answer(port, "HEAD /livez", "HTTP/1.1 200 ", "");
    assert_answer(port, "GET /readyz", "HTTP/1.1 200 ", "ready\n");
    not_ready_because = "the database does not answer";
    assert_answer(port, "GET /readyz?verbose", "HTTP/1.1 503 ", "the database does not answer\n");
    assert_answer(port, "GET /livez", "HTTP/1.1 200 ", "alive\n");
    assert_answer(port, "GET /", "HTTP/1.1 404 ", "there are /metrics, /livez and /readyz\n");
    assert_answer(port, "GET /metrics/", "HTTP/1.1 404 ", "there are /metrics, /livez and /readyz\n");
    assert_answer(port, "POST /livez", "HTTP/1.1 405 ", "only GET and HEAD\n");
    assert_answer(port, "DELETE /metrics", "HTTP/1.1 405 ", "only GET and HEAD\n");
    ops_close(ops);
}

static void test_ops_metrics_show_families_once_and_cumulative_buckets(void **state)
{
    (void)state;
    static char answer[ANSWER_SIZE];
    int port;
    struct ops_server *ops = open_free(&port);
    metric_register(&labelled);
    metric_register(&refreshed);
    metric_register(&labelled_too);
    histogram_register(&times);
    metric_add(&labelled, 3);
    metric_add(&labelled_too, 4);
    histogram_add(&times, 1000);
    histogram_add(&times, 1500);
    histogram_add(&times, INT64_C(1) << 40);
    ask(port, "GET /metrics", answer);
    assert_non_null(strstr(answer, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    assert_non_null(strstr(answer, "# HELP test_total One of a family\n# TYPE test_total counter\n"
                                   "test_total{kind=\"a\"} 3\ntest_total{kind=\"b\"} 4\n"));
    assert_non_null(strstr(answer, "# TYPE test_refreshed gauge\ntest_refreshed 42\n"));
    enum { RESIDENT_MIN = 65536 };
    const char *resident = strstr(answer, "\nprocess_resident_memory_bytes ");
    assert_non_null(resident);
    assert_true(strtoll(strchr(resident, ' '), NULL, 10) > RESIDENT_MIN);
    assert_non_null(strstr(answer, "# TYPE test_seconds histogram\n"
                                   "test_seconds_bucket{le=\"0.001\"} 1\n"
                                   "test_seconds_bucket{le=\"0.002\"} 2\n"
                                   "test_seconds_bucket{le=\"0.004\"} 2\n"));
    assert_non_null(strstr(answer, "test_seconds_bucket{le=\"+Inf\"} 3\n"));
    assert_non_null(strstr(answer, "test_seconds_count 3\n"));
    ops_close(ops);
}

static void test_ops_closes_connections_of_one_address_beyond_its_share(void **state)
{
    (void)state;
    static const char REQUEST[] = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
    int port, held[OPS_CONNECTIONS_PER_ADDRESS];
    char answer[256];
    struct ops_server *ops = open_free(&port);
    for (size_t i = 0; i < OPS_CONNECTIONS_PER_ADDRESS; i++) {
        held[i] = connect_to(port);
        assert_int_equal(send(held[i], REQUEST, strlen(REQUEST), 0), strlen(REQUEST));
        assert_true(recv(held[i], answer, sizeof answer, 0) > 0);
    }
    int beyond = connect_to(port);
    assert_true(recv(beyond, answer, sizeof answer, 0) == 0 || errno == ECONNRESET);
    for (size_t i = 0; i < OPS_CONNECTIONS_PER_ADDRESS; i++) {
        assert_int_equal(send(held[i], REQUEST, strlen(REQUEST), 0), strlen(REQUEST));
        assert_true(recv(held[i], answer, sizeof answer, 0) > 0);
        close(held[i]);
    }
    close(beyond);
    ops_close(ops);
}

static void test_ops_empty_address_opens_nothing(void **state)
{
    (void)state;
    struct ops_server *ops = (struct ops_server *)&refreshed;
    assert_int_equal(open_at("", &ops, NULL), STATUS_OK);
    assert_null(ops);
    ops_close(ops);
}

static void assert_refused(const char *address)
{
    struct ops_server *ops = NULL;
    struct error error;
    assert_int_equal(open_at(address, &ops, &error), STATUS_INVALID_ARGUMENT);
    assert_memory_equal(error.message, "ops-listen: ", strlen("ops-listen: "));
    assert_non_null(strstr(error.message, address));
}

static void test_ops_wrong_or_taken_address_is_refused(void **state)
{
    (void)state;
    int port;
    char address[ADDRESS_SIZE];
    int taken = take_port(&port);
    (void)snprintf(address, sizeof address, "127.0.0.1:%d", port);
    assert_refused(address);
    close(taken);
    assert_refused("127.0.0.1");
    assert_refused("127.0.0.1:");
    assert_refused(":7109");
    assert_refused("127.0.0.1:http");
    assert_refused("127.0.0.1:70000");
    assert_refused("::1:7109");
    assert_refused("tcp://127.0.0.1:7109");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ops_paths_and_methods_are_answered_as_promised),
        cmocka_unit_test(test_ops_metrics_show_families_once_and_cumulative_buckets),
        cmocka_unit_test(test_ops_closes_connections_of_one_address_beyond_its_share),
        cmocka_unit_test(test_ops_empty_address_opens_nothing),
        cmocka_unit_test(test_ops_wrong_or_taken_address_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
