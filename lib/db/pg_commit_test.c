/* Tests what a COMMIT returns whose session ends just before or just after its answer, cut by a proxy. */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/unit_testing.h"
#include "db/db_testing.h"

enum { PATH_SIZE = sizeof((struct sockaddr_un *)0)->sun_path, DATA_SIZE = 65536, HEADER_SIZE = 5 };

/* Where the proxy ends the session, once it is told to. */
enum cut { CUT_NOWHERE, CUT_BEFORE_ANSWER, CUT_AFTER_ANSWER, CUT_BY_POOLER };

/* What PgBouncer sends, instead of all answers of a batch, when it has lost its server: SFATAL, C08P01,
 * Mserver conn crashed? */
static const unsigned char CRASHED[] = "E\0\0\0\x29SFATAL\0C08P01\0Mserver conn crashed?\0";

static const struct db_statement insert = {.name = "insert_thing",
                                           .sql = "INSERT INTO thing (id) VALUES ($1)"};
static const struct db_statement count_all = {.name = "count_things", .sql = "SELECT count(*) FROM thing"};

/* Forwards one session after the other, until its listening socket is shut down. */
struct proxy {
    char folder[64];
    char path[PATH_SIZE];
    char server_path[PATH_SIZE];
    int listening;
    pthread_t thread;
    _Atomic int cut; /* an enum cut */
    /* The data of the server that has not been forwarded yet; used by the thread. */
    unsigned char data[DATA_SIZE];
    size_t size;
};

static int open_socket(const char *path, int (*use)(int, const struct sockaddr *, socklen_t))
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_int_equal(use(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static bool send_all(int fd, const void *bytes, size_t size)
{
    return send(fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size; /* the sockets block */
}

/* Forwards the server's whole messages. Returns false if the session must end. */
static bool forward_messages(struct proxy *proxy, int client)
{
    size_t at = 0;
    bool goes_on = true;
    while (goes_on && proxy->size - at >= HEADER_SIZE) {
        const unsigned char *message = proxy->data + at;
        size_t size =
            1 + ((size_t)message[1] << 24 | (size_t)message[2] << 16 | (size_t)message[3] << 8 | message[4]);
        assert_true(size <= sizeof proxy->data);
        if (proxy->size - at < size)
            break;
        int cut = CUT_NOWHERE;
        if (atomic_load(&proxy->cut) == CUT_BY_POOLER ||
            (message[0] == 'C' && memcmp(message + HEADER_SIZE, "COMMIT", sizeof "COMMIT") == 0))
            cut = atomic_exchange(&proxy->cut, CUT_NOWHERE);
        if (cut == CUT_BY_POOLER)
            return send_all(client, CRASHED, sizeof CRASHED) && false;
        goes_on = cut != CUT_BEFORE_ANSWER && send_all(client, message, size) && cut != CUT_AFTER_ANSWER;
        at += size;
    }
    memmove(proxy->data, proxy->data + at, proxy->size - at);
    proxy->size -= at;
    return goes_on;
}

static bool forward_from_server(struct proxy *proxy, int server, int client)
{
    ssize_t got = recv(server, proxy->data + proxy->size, sizeof proxy->data - proxy->size, 0);
    if (got <= 0)
        return false;
    proxy->size += (size_t)got;
    return forward_messages(proxy, client);
}

static bool forward_from_client(int client, int server)
{
    unsigned char data[DATA_SIZE];
    ssize_t got = recv(client, data, sizeof data, 0);
    return got > 0 && send_all(server, data, (size_t)got);
}

static void *run_proxy(void *context)
{
    struct proxy *proxy = context;
    int client;
    while ((client = accept4(proxy->listening, NULL, NULL, 0)) >= 0) {
        int server = open_socket(proxy->server_path, connect);
        struct pollfd both[] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
        bool goes_on = true;
        proxy->size = 0;
        while (goes_on && poll(both, 2, -1) > 0)
            goes_on = (both[0].revents == 0 || forward_from_client(client, server)) &&
                      (both[1].revents == 0 || forward_from_server(proxy, server, client));
        close(client);
        close(server);
    }
    return NULL;
}

/* Opens the proxy, and a connection through it. */
static struct db *connect_through(struct proxy *proxy, const struct fixture *fixture)
{
    const struct fixture_place place = fixture_find_place(fixture);
    struct fixture through = *fixture;
    *proxy = (struct proxy){.folder = "/tmp/pg_commit_test.XXXXXX"};
    assert_non_null(mkdtemp(proxy->folder));
    (void)snprintf(proxy->path, sizeof proxy->path, "%s/.s.PGSQL.%s", proxy->folder, place.port);
    (void)snprintf(proxy->server_path, sizeof proxy->server_path, "%.80s/.s.PGSQL.%s", place.folder,
                   place.port);
    proxy->listening = open_socket(proxy->path, bind);
    assert_int_equal(listen(proxy->listening, 1), 0);
    assert_int_equal(pthread_create(&proxy->thread, NULL, run_proxy, proxy), 0);
    (void)snprintf(through.url, sizeof through.url, "postgresql://%s@/%s?host=%s&port=%s", place.user,
                   place.database, proxy->folder, place.port);
    return fixture_connect(&through, DB_READ_WRITE);
}

static void close_proxy(struct proxy *proxy)
{
    (void)shutdown(proxy->listening, SHUT_RDWR);
    assert_int_equal(pthread_join(proxy->thread, NULL), 0);
    close(proxy->listening);
    unlink(proxy->path);
    rmdir(proxy->folder);
}

/* Inserts a row through the proxy, which cuts the session at the COMMIT. */
static void commit_cut(struct fixture *f, enum cut cut, enum status expected)
{
    struct proxy proxy;
    struct error error = {0};
    fixture_expect(db_run_script(f->db, "CREATE TABLE thing (id int8 PRIMARY KEY)", &error), STATUS_OK,
                   &error);
    struct db *db = connect_through(&proxy, f);
    db_params_reset(f->params);
    db_params_int(f->params, 1);
    db_params_end_row(f->params);
    fixture_expect(db_begin(db, &error), STATUS_OK, &error);
    fixture_expect(db_run(db, &insert, f->params, NULL, NULL, &error), STATUS_OK, &error);
    atomic_store(&proxy.cut, cut);
    fixture_expect(db_commit(db, &error), expected, &error);
    assert_int_equal(atomic_load(&proxy.cut), CUT_NOWHERE);
    assert_int_equal(fixture_number(f->db, &count_all), 1);
    fixture_expect(db_begin(db, &error), STATUS_OK, &error); /* connects again */
    db_rollback(db);
    db_close(db);
    close_proxy(&proxy);
}

static void test_pg_commit_whose_answer_was_lost_is_unknown(void **state)
{
    commit_cut(fixture_of(state), CUT_BEFORE_ANSWER, STATUS_UNKNOWN);
}

/* The server answers only after it has committed. */
static void test_pg_commit_whose_answer_arrived_is_known_although_the_session_ended(void **state)
{
    commit_cut(fixture_of(state), CUT_AFTER_ANSWER, STATUS_OK);
}

static void test_pg_commit_whose_server_a_pooler_has_lost_is_unknown(void **state)
{
    commit_cut(fixture_of(state), CUT_BY_POOLER, STATUS_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_POSTGRESQL(test_pg_commit_whose_answer_was_lost_is_unknown),
        TEST_POSTGRESQL(test_pg_commit_whose_server_a_pooler_has_lost_is_unknown),
        TEST_POSTGRESQL(test_pg_commit_whose_answer_arrived_is_known_although_the_session_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
