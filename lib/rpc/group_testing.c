#include "rpc/group_testing.h"

#include <nng/protocol/reqrep0/rep.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rpc/envelope.h"

void group_listen(struct group *group, int i)
{
    assert_int_equal(nng_rep0_open(&group->sockets[i]), 0);
    assert_int_equal(nng_socket_set_ms(group->sockets[i], NNG_OPT_RECVTIMEO, 5), 0);
    assert_int_equal(nng_listen(group->sockets[i], group->addresses[i], NULL, 0), 0);
}

void group_open(struct group *group, int count, struct rpc_channel_options options)
{
    size_t length = 0;
    *group = (struct group){.count = count};
    (void)snprintf(group->folder, sizeof group->folder, "/tmp/rpc-test-XXXXXX");
    assert_non_null(mkdtemp(group->folder));
    for (int i = 0; i < count; i++) {
        (void)snprintf(group->addresses[i], sizeof group->addresses[i], "ipc://%s/%d", group->folder, i);
        group_listen(group, i);
        length += (size_t)snprintf(group->list + length, sizeof group->list - length, "%s%s",
                                   i > 0 ? "," : "", group->addresses[i]);
    }
    options.address = group->list;
    struct error error;
    assert_int_equal(rpc_channel_open(&options, &group->channel, &error), STATUS_OK);
    group->client = test_create_client(group->channel);
    assert_soon(atomic_load(&group->channel->connections) == (size_t)count);
}

void group_close(struct group *group)
{
    rpc_client_destroy(group->client);
    rpc_channel_close(group->channel);
    for (int i = 0; i < group->count; i++) {
        char path[96];
        nng_close(group->sockets[i]);
        (void)snprintf(path, sizeof path, "%s/%d", group->folder, i);
        (void)unlink(path); /* nng has already removed it */
    }
    assert_int_equal(rmdir(group->folder), 0);
}

void group_begin(struct group *group, struct test_pending *pending, struct rpc_client_call call)
{
    *pending = (struct test_pending){.call = call};
    test_begin_get(group->client, "x", pending);
}

nng_msg *group_try_receive(struct group *group, int at)
{
    nng_msg *msg;
    return nng_recvmsg(group->sockets[at], &msg, 0) == 0 ? msg : NULL;
}

nng_msg *group_receive_at(struct group *group, int at)
{
    nng_msg *msg;
    int64_t until_ms = test_now_ms() + TEST_PATIENCE_MS;
    while ((msg = group_try_receive(group, at)) == NULL)
        assert_true(test_now_ms() < until_ms);
    return msg;
}

nng_msg *group_receive(struct group *group, int *at, uint32_t *timeout_ms)
{
    nng_msg *msg = NULL;
    int64_t until_ms = test_now_ms() + TEST_PATIENCE_MS;
    for (*at = 0; (msg = group_try_receive(group, *at)) == NULL; *at = (*at + 1) % group->count)
        assert_true(test_now_ms() < until_ms);
    Rpc__V1__Request *request = rpc__v1__request__unpack(NULL, nng_msg_len(msg), nng_msg_body(msg));
    assert_non_null(request);
    if (timeout_ms != NULL)
        *timeout_ms = request->timeout_ms;
    rpc__v1__request__free_unpacked(request, NULL);
    return msg;
}

static void send_body(struct group *group, int at, nng_msg *request, nng_msg *body)
{
    assert_non_null(body);
    nng_msg_clear(request);
    assert_int_equal(nng_msg_append(request, nng_msg_body(body), nng_msg_len(body)), 0);
    nng_msg_free(body);
    assert_int_equal(nng_sendmsg(group->sockets[at], request, 0), 0);
}

void group_answer(struct group *group, int at, nng_msg *request, enum status status, const char *reason,
                  uint32_t retry_after_ms)
{
    struct error error;
    (void)error_set(&error, status, reason, "as the test wished");
    error.retry_after_ms = retry_after_ms;
    send_body(group, at, request, rpc_envelope_error(&error));
}

void group_serve(struct group *group, int at)
{
    int got;
    nng_msg *msg = group_receive(group, &got, NULL);
    assert_int_equal(got, at);
    group_answer(group, at, msg, STATUS_NOT_FOUND, NULL, 0);
}

void group_assert_all_go_to(struct group *group, int at, int count)
{
    for (int i = 0; i < count; i++) {
        struct test_pending pending;
        group_begin(group, &pending, (struct rpc_client_call){.timeout_ms = 30000});
        group_serve(group, at);
        test_assert_outcome(&pending, STATUS_NOT_FOUND, true);
    }
}

nng_msg *group_receive_check(struct group *group, int at)
{
    nng_msg *msg = group_receive_at(group, at);
    Rpc__V1__Request *request = rpc__v1__request__unpack(NULL, nng_msg_len(msg), nng_msg_body(msg));
    assert_non_null(request);
    assert_string_equal(request->method, "grpc.health.v1.Health/Check");
    rpc__v1__request__free_unpacked(request, NULL);
    return msg;
}

void group_answer_check(struct group *group, int at,
                        Grpc__Health__V1__HealthCheckResponse__ServingStatus status)
{
    nng_msg *msg = group_receive_check(group, at), *body;
    Grpc__Health__V1__HealthCheckResponse response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    response.status = status;
    struct error error;
    assert_int_equal(rpc_envelope_response(&response.base, 1024, &body, &error), STATUS_OK);
    send_body(group, at, msg, body);
}

void group_lose(nng_msg *request)
{
    assert_int_equal(nng_pipe_close(nng_msg_get_pipe(request)), 0);
    nng_msg_free(request);
}

struct balance_mark group_mark(struct group *group, int slot)
{
    pthread_mutex_lock(&group->channel->mutex);
    struct balance_mark mark = group->channel->balance.marks[slot];
    pthread_mutex_unlock(&group->channel->mutex);
    return mark;
}

void group_eject(struct group *group, int slot, int64_t until_ns)
{
    pthread_mutex_lock(&group->channel->mutex);
    group->channel->balance.marks[slot].ejected_until_ns = until_ns;
    pthread_mutex_unlock(&group->channel->mutex);
}
