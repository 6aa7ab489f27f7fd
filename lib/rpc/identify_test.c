#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/caller.h"
#include "rpc/identify.h"
#include "rpc/rpc_testing.h"
#include "rpc/server_state.h"
#include "screening/v1/descriptors.h"

#include "screening/v1/words.h"

enum { ADDRESS_SIZE = 128, ENTRIES_MAX = 2, PACKED_SIZE = 512 };

#define LOOK_UP "screening.v1.BookingService/LookUpBookings"

/* A server with the listeners for services, gateways and clients. */
struct fixture {
    struct test_server server;
    char folder[64], gateway[ADDRESS_SIZE], clients[ADDRESS_SIZE];
};

static struct auth_source last_source; /* of the last call to `identify` */

/* Plays lib/auth: a token is the name of its role, and the caller is called "me". */
static enum status identify(void *context, const char *authorization, struct auth_source source,
                            struct arena *arena, const struct auth_caller **out, struct error *error)
{
    static const struct {
        const char *token;
        struct auth_caller caller;
    } KNOWN[] = {
        {"customer", {.roles = AUTH_CUSTOMER, .subject = "me"}},
        {"admin", {.roles = AUTH_ADMIN, .subject = "me"}},
        {"service and customer", {.roles = AUTH_SERVICE | AUTH_CUSTOMER, .subject = "me"}},
        {"service", {.roles = AUTH_SERVICE, .subject = "me"}},
        {"nothing", {.subject = "me"}},
    };
    (void)arena;
    last_source = source;
    *(size_t *)context += 1;
    for (size_t i = 0; i < sizeof KNOWN / sizeof KNOWN[0]; i++)
        if (strcmp(authorization, KNOWN[i].token) == 0) {
            *out = &KNOWN[i].caller;
            return STATUS_OK;
        }
    return error_set(error, STATUS_UNAUTHENTICATED, SCREENING_REASON_TOKEN_EXPIRED, "expired");
}

static size_t identified; /* the number of calls to `identify` */

static void start(struct fixture *fixture)
{
    (void)snprintf(fixture->folder, sizeof fixture->folder, "/tmp/identify_test.XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    (void)snprintf(fixture->gateway, ADDRESS_SIZE, "ipc://%s/gateway", fixture->folder);
    (void)snprintf(fixture->clients, ADDRESS_SIZE, "ipc://%s/clients", fixture->folder);
    const struct rpc_server_options options = {
        .program = "test",
        .gateway_address = fixture->gateway,
        .client_address = fixture->clients,
        .access = {.descriptors = screening_descriptor_set,
                   .descriptors_size = screening_descriptor_set_size,
                   .identify = identify,
                   .context = &identified},
    };
    test_server_init(&fixture->server);
    test_server_start(&fixture->server, &options, false);
    rpc_server_serve(fixture->server.server);
}

static void stop(struct fixture *fixture)
{
    test_server_stop(&fixture->server);
    assert_int_equal(rmdir(fixture->folder), 0);
}

/* Calls a method with up to two `authorization` entries, and checks the answer's code and reason. */
static void assert_call(const char *address, const char *method, const char *first, const char *second,
                        enum status code, const char *reason)
{
    Rpc__V1__Metadata entries[ENTRIES_MAX] = {RPC__V1__METADATA__INIT, RPC__V1__METADATA__INIT};
    Rpc__V1__Metadata *pointers[] = {&entries[0], &entries[1]};
    const char *const values[] = {first, second};
    Rpc__V1__Request request = RPC__V1__REQUEST__INIT;
    request.method = (char *)method;
    request.metadata = pointers;
    for (; request.n_metadata < ENTRIES_MAX && values[request.n_metadata] != NULL; request.n_metadata++) {
        entries[request.n_metadata].key = (char *)"authorization";
        entries[request.n_metadata].value = (char *)values[request.n_metadata];
    }
    uint8_t packed[PACKED_SIZE];
    size_t size = rpc__v1__request__pack(&request, packed);
    nng_socket client = test_dial(address);
    Rpc__V1__Response *response = test_ask_bytes(client, packed, size);
    assert_int_equal(response->code, code);
    assert_string_equal(response->reason, reason);
    rpc__v1__response__free_unpacked(response, NULL);
    nng_close(client);
}

static void assert_get(const char *address, const char *token, enum status code, const char *reason)
{
    assert_call(address, TEST_GET_BOOKING, token, NULL, code, reason);
}

static void test_each_listener_admits_its_roles(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    assert_get(fixture.clients, "customer", STATUS_OK, "");
    assert_get(fixture.gateway, "customer", STATUS_OK, "");
    assert_get(fixture.server.address, "customer", STATUS_PERMISSION_DENIED, "NOT_PERMITTED");
    assert_get(fixture.server.address, "service", STATUS_PERMISSION_DENIED, "NOT_PERMITTED");
    static const char stats[] = "rpc.v1.Introspection/Stats";
    assert_call(fixture.server.address, stats, "service", NULL, STATUS_OK, "");
    assert_call(fixture.gateway, stats, "service", NULL, STATUS_OK, "");
    assert_call(fixture.clients, stats, "service", NULL, STATUS_PERMISSION_DENIED, "NOT_PERMITTED");
    assert_call(fixture.clients, stats, "admin", NULL, STATUS_OK, "");
    assert_call(fixture.server.address, stats, "admin", NULL, STATUS_PERMISSION_DENIED, "NOT_PERMITTED");
    stop(&fixture);
}

/* Calls with a wrong token, and with a client's address if it is not NULL. Returns the source. */
static struct auth_source source_at(const char *address, const char *client)
{
    Rpc__V1__Metadata entries[] = {RPC__V1__METADATA__INIT, RPC__V1__METADATA__INIT};
    Rpc__V1__Metadata *pointers[] = {&entries[0], &entries[1]};
    Rpc__V1__Request request = RPC__V1__REQUEST__INIT;
    entries[0].key = (char *)"authorization";
    entries[0].value = (char *)"wrong";
    entries[1].key = (char *)"client-address";
    entries[1].value = (char *)client;
    request.method = (char *)TEST_GET_BOOKING;
    request.metadata = pointers;
    request.n_metadata = client != NULL ? 2 : 1;
    uint8_t packed[PACKED_SIZE];
    size_t size = rpc__v1__request__pack(&request, packed);
    nng_socket socket = test_dial(address);
    Rpc__V1__Response *response = test_ask_bytes(socket, packed, size);
    assert_int_equal(response->code, STATUS_UNAUTHENTICATED);
    rpc__v1__response__free_unpacked(response, NULL);
    nng_close(socket);
    return last_source;
}

static void test_wrong_tokens_are_counted_for_each_connection_but_not_for_services(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    const struct auth_source first = source_at(fixture.clients, NULL),
                             second = source_at(fixture.clients, NULL);
    assert_true(first.number != 0 && second.number != 0 && first.number != second.number);
    const struct auth_source behind = source_at(fixture.gateway, "192.0.2.1");
    assert_int_not_equal(behind.number, 0);
    /* Each listener has a bound of its own. */
    assert_true(first.entrance == second.entrance && first.entrance != behind.entrance);
    /* Services have none, and neither has a gateway that calls for itself. */
    assert_int_equal(source_at(fixture.server.address, NULL).number, 0);
    assert_int_equal(source_at(fixture.server.address, "192.0.2.1").number, 0);
    assert_int_equal(source_at(fixture.gateway, NULL).number, 0);
    stop(&fixture);
}

static void test_a_client_with_the_token_of_a_service_is_no_service_behind_a_gateway(void **state)
{
    (void)state;
    struct fixture fixture;
    Rpc__V1__Metadata entries[] = {RPC__V1__METADATA__INIT, RPC__V1__METADATA__INIT};
    Rpc__V1__Metadata *pointers[] = {&entries[0], &entries[1]};
    Rpc__V1__Request request = RPC__V1__REQUEST__INIT;
    entries[0].key = (char *)"authorization";
    entries[0].value = (char *)"service";
    entries[1].key = (char *)"client-address";
    entries[1].value = (char *)"192.0.2.1";
    request.method = (char *)"rpc.v1.Introspection/Stats";
    request.metadata = pointers;
    request.n_metadata = ENTRIES_MAX;
    uint8_t packed[PACKED_SIZE];
    size_t size = rpc__v1__request__pack(&request, packed);
    start(&fixture);
    nng_socket client = test_dial(fixture.gateway);
    test_assert_answer(test_ask_bytes(client, packed, size), STATUS_PERMISSION_DENIED,
                       "authorization: this caller may not call rpc.v1.Introspection/Stats here");
    nng_close(client);
    stop(&fixture);
}

static void test_a_call_whose_connection_is_gone_comes_from_no_listener(void **state)
{
    (void)state;
    struct fixture fixture;
    struct error error;
    Rpc__V1__Metadata entry = RPC__V1__METADATA__INIT, *entries[] = {&entry};
    Rpc__V1__Request request = RPC__V1__REQUEST__INIT;
    entry.key = (char *)"authorization";
    entry.value = (char *)"service";
    request.method = (char *)"rpc.v1.Introspection/Stats";
    request.metadata = entries;
    request.n_metadata = 1;
    start(&fixture);
    struct rpc_server *server = fixture.server.server;
    const struct rpc_service_entry *introspection = &server->services[1];
    struct rpc_call call = {.server = server, .entry = introspection, .request = &request};
    call.method =
        protobuf_c_service_descriptor_get_method_by_name(introspection->service->descriptor, "Stats");
    assert_non_null(call.method);
    arena_init(&call.arena);
    assert_int_equal(rpc_identify(&call, &error), STATUS_PERMISSION_DENIED);
    call.listener = nng_listener_id(server->service_listener);
    assert_int_equal(rpc_identify(&call, &error), STATUS_OK);
    arena_fini(&call.arena);
    stop(&fixture);
}

static void test_a_call_without_a_valid_token_is_refused_before_its_handler(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    assert_get(fixture.clients, NULL, STATUS_UNAUTHENTICATED, "TOKEN_MISSING");
    assert_get(fixture.clients, "old", STATUS_UNAUTHENTICATED, "TOKEN_EXPIRED");
    assert_get(fixture.clients, "nothing", STATUS_PERMISSION_DENIED, "NOT_PERMITTED");
    assert_call(fixture.clients, TEST_GET_BOOKING, "admin", "customer", STATUS_UNAUTHENTICATED,
                "TOKEN_INVALID");
    assert_call(fixture.clients, LOOK_UP, "customer", NULL, STATUS_PERMISSION_DENIED, "NOT_PERMITTED");
    assert_int_equal(test_server_invoked(&fixture.server), 0);
    stop(&fixture);
}

static void test_an_open_method_looks_at_no_token(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    identified = 0;
    assert_call(fixture.clients, "grpc.health.v1.Health/Check", "old", NULL, STATUS_OK, "");
    assert_call(fixture.server.address, "grpc.health.v1.Health/Check", NULL, NULL, STATUS_OK, "");
    assert_int_equal(identified, 0);
    stop(&fixture);
}

/* Calls GetBooking for the id "hold", and checks the roles with which the handler sees the caller. */
static void assert_held_roles(struct fixture *fixture, const char *address, const char *token, unsigned roles)
{
    Rpc__V1__Metadata entry = RPC__V1__METADATA__INIT, *entries[] = {&entry};
    Rpc__V1__Request request = RPC__V1__REQUEST__INIT;
    entry.key = (char *)"authorization";
    entry.value = (char *)token;
    request.method = (char *)TEST_GET_BOOKING;
    request.payload.data = (uint8_t *)"\x0a\x04hold";
    request.payload.len = 6;
    request.metadata = entries;
    request.n_metadata = 1;
    uint8_t packed[PACKED_SIZE];
    size_t size = rpc__v1__request__pack(&request, packed);
    nng_socket client = test_dial(address);
    assert_int_equal(nng_send(client, packed, size, 0), 0);
    assert_soon(test_server_held(&fixture->server) == 1);
    const struct auth_caller *caller = rpc_call_caller(fixture->server.held[0]);
    assert_int_equal(caller->roles, roles);
    assert_string_equal(caller->subject, "me");
    test_server_release(&fixture->server);
    nng_msg *answer = NULL;
    assert_int_equal(nng_recvmsg(client, &answer, 0), 0);
    nng_msg_free(answer);
    nng_close(client);
}

static void test_a_handler_sees_only_the_roles_that_may_call_its_method(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    assert_held_roles(&fixture, fixture.gateway, "service and customer", AUTH_CUSTOMER);
    assert_held_roles(&fixture, fixture.clients, "admin", AUTH_ADMIN);
    stop(&fixture);
}

static void test_a_server_without_identification_trusts_every_caller(void **state)
{
    (void)state;
    struct test_server server;
    test_server_serve(&server);
    nng_socket client = test_dial(server.address);
    test_assert_answer(test_get(client, "b-1", 1000), STATUS_OK, "");
    nng_close(client);
    test_server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_listener_admits_its_roles),
        cmocka_unit_test(test_wrong_tokens_are_counted_for_each_connection_but_not_for_services),
        cmocka_unit_test(test_a_client_with_the_token_of_a_service_is_no_service_behind_a_gateway),
        cmocka_unit_test(test_a_call_whose_connection_is_gone_comes_from_no_listener),
        cmocka_unit_test(test_a_call_without_a_valid_token_is_refused_before_its_handler),
        cmocka_unit_test(test_an_open_method_looks_at_no_token),
        cmocka_unit_test(test_a_handler_sees_only_the_roles_that_may_call_its_method),
        cmocka_unit_test(test_a_server_without_identification_trusts_every_caller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
