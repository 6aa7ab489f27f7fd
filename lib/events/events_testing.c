#include "events/events_testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "events/event_store.h"
#include "events/event_text.h"

/* ---- the environment of one test ---- */

static struct stage *create_stage(enum db_dialect dialect)
{
    struct stage *stage = calloc(1, sizeof *stage);
    assert_non_null(stage);
    stage->dialect = dialect;
    snprintf(stage->folder, sizeof stage->folder, "/tmp/events_test.XXXXXX");
    assert_non_null(mkdtemp(stage->folder));
    snprintf(stage->rpc, sizeof stage->rpc, "ipc://%s/rpc", stage->folder);
    snprintf(stage->events, sizeof stage->events, "ipc://%s/events", stage->folder);
    snprintf(stage->by_hand, sizeof stage->by_hand, "ipc://%s/by_hand", stage->folder);
    return stage;
}

int stage_setup_sqlite(void **state)
{
    struct stage *stage = create_stage(DB_SQLITE);
    snprintf(stage->origin_url, sizeof stage->origin_url, "sqlite:%s/origin.db", stage->folder);
    snprintf(stage->service_url, sizeof stage->service_url, "sqlite:%s/service.db", stage->folder);
    *state = stage;
    return 0;
}

static void run_on_server(const char *command, const char *schema, const char *option)
{
    struct error error = {0};
    struct db *db;
    char script[TEXT_SIZE];
    snprintf(script, sizeof script, "%s SCHEMA %s %s", command, schema, option);
    expect(db_open(getenv("SCREENING_TEST_POSTGRESQL"), DB_READ_WRITE, &db, &error), STATUS_OK, &error);
    expect(db_run_script(db, script, &error), STATUS_OK, &error);
    db_close(db);
}

/* Creates a schema, and a URL whose connections use that schema. */
static void make_schema(char schema[SCHEMA_SIZE], char url[TEXT_SIZE])
{
    static int count;
    const char *server = getenv("SCREENING_TEST_POSTGRESQL");
    snprintf(schema, SCHEMA_SIZE, "events_test_%d_%d", (int)getpid(), count++);
    run_on_server("CREATE", schema, "");
    snprintf(url, TEXT_SIZE, "%s%coptions=-csearch_path%%3D%s", server,
             strchr(server, '?') != NULL ? '&' : '?', schema);
}

int stage_setup_postgresql(void **state)
{
    *state = NULL;
    if (getenv("SCREENING_TEST_POSTGRESQL") == NULL)
        return 0;
    struct stage *stage = create_stage(DB_POSTGRESQL);
    make_schema(stage->origin_schema, stage->origin_url);
    make_schema(stage->service_schema, stage->service_url);
    *state = stage;
    return 0;
}

int stage_teardown(void **state)
{
    static const char *const files[] = {"origin.db",  "origin.db-wal",  "origin.db-shm",  "origin.db-lock",
                                        "service.db", "service.db-wal", "service.db-shm", "service.db-lock",
                                        "rpc",        "events",         "by_hand"};
    struct stage *stage = *state;
    if (stage == NULL)
        return 0;
    if (stage->dialect == DB_POSTGRESQL) {
        run_on_server("DROP", stage->origin_schema, "CASCADE");
        run_on_server("DROP", stage->service_schema, "CASCADE");
    }
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[TEXT_SIZE];
        snprintf(path, sizeof path, "%s/%s", stage->folder, files[i]);
        unlink(path);
    }
    rmdir(stage->folder);
    free(stage);
    return 0;
}

struct stage *stage_of(void **state)
{
    if (*state == NULL) {
        print_message("skipped: SCREENING_TEST_POSTGRESQL is not set\n");
        skip();
    }
    return *state;
}

void expect(enum status status, enum status expected, const struct error *error)
{
    if (status != expected)
        fail_msg("%s instead of %s: %s", status_name(status), status_name(expected), error->message);
}

void wait_until(bool (*condition)(void *context), void *context, const char *what)
{
    int64_t deadline_ns = clock_monotonic_ns() + (int64_t)PATIENCE_MS * NS_PER_MS;
    while (!condition(context)) {
        if (clock_monotonic_ns() >= deadline_ns)
            fail_msg("waited in vain: %s", what);
        const struct timespec pause = {.tv_nsec = NS_PER_MS};
        nanosleep(&pause, NULL);
    }
}

int64_t metric_by_name(const char *name)
{
    int64_t value = 0;
    for (struct metric *metric = metrics_newest(); metric != NULL; metric = metric->next)
        if (strcmp(metric->name, name) == 0)
            value = metric_get(metric);
    return value;
}

static enum status take_number(void *context, const struct db_row *row)
{
    *(int64_t *)context = db_row_int(row, 0);
    return STATUS_OK;
}

int64_t number_of(struct db *db, const struct db_statement *statement)
{
    struct error error = {0};
    int64_t number = -1;
    expect(db_run(db, statement, NULL, take_number, &number, &error), STATUS_OK, &error);
    return number;
}

/* ---- a publisher ---- */

static void serve(struct origin *origin)
{
    struct error error = {0};
    const struct rpc_server_options options = {
        .address = origin->stage->rpc, .program = "events_test", .contexts = 128, .default_timeout_ms = 5000};
    const struct rpc_channel_options channel = {.address = origin->stage->rpc, .connect_now = true};
    expect(rpc_server_open(&options, &origin->server, &error), STATUS_OK, &error);
    rpc_server_add(origin->server, event_publisher_service(origin->publisher));
    expect(rpc_server_start(origin->server, &error), STATUS_OK, &error);
    rpc_server_serve(origin->server);
    expect(rpc_channel_open(&channel, &origin->channel, &error), STATUS_OK, &error);
    origin->client = rpc_client_create(origin->channel, &screening__v1__event_log_service__descriptor);
    assert_non_null(origin->client);
}

void origin_open_unstarted(struct origin *origin, const struct stage *stage,
                           const struct event_publisher_options *options)
{
    struct error error = {0};
    struct event_publisher_options filled = {.heartbeat_ms = 600000};
    if (options != NULL)
        filled = *options;
    filled.topic = "booking";
    filled.address = stage->events;
    *origin = (struct origin){.stage = stage};
    expect(db_open(stage->origin_url, DB_READ_WRITE, &origin->db, &error), STATUS_OK, &error);
    expect(events_migrate(origin->db, &error), STATUS_OK, &error);
    expect(event_publisher_open(&filled, &origin->publisher, &error), STATUS_OK, &error);
    origin->log = event_log_create(origin->publisher);
    origin->silent_log = event_log_create(NULL);
    assert_non_null(origin->log);
    assert_non_null(origin->silent_log);
    /* The first batch of each log begins an era. */
    origin_commit(origin, "", 0, true);
    origin_commit(origin, "", 0, false);
    serve(origin);
}

void origin_open(struct origin *origin, const struct stage *stage,
                 const struct event_publisher_options *options)
{
    struct error error = {0};
    origin_open_unstarted(origin, stage, options);
    expect(event_publisher_start(origin->publisher, stage->origin_url, &error), STATUS_OK, &error);
}

void origin_close(struct origin *origin)
{
    event_publisher_drain(origin->publisher);
    rpc_client_destroy(origin->client);
    rpc_channel_close(origin->channel);
    rpc_server_close(origin->server);
    event_publisher_close(origin->publisher);
    event_log_destroy(origin->silent_log);
    event_log_destroy(origin->log);
    db_close(origin->db);
}

void origin_commit(struct origin *origin, const char *type, size_t count, bool publish)
{
    struct error error = {0};
    const struct uuid subject = uuid_v7();
    Screening__V1__Booking booking = SCREENING__V1__BOOKING__INIT;
    booking.customer_name = (char *)(uintptr_t) "Kim";
    Screening__V1__Event event = SCREENING__V1__EVENT__INIT;
    event.body_case = SCREENING__V1__EVENT__BODY_BOOKING;
    event.booking = &booking;
    expect(db_begin(origin->db, &error), STATUS_OK, &error);
    struct event_log *log = publish ? origin->log : origin->silent_log;
    expect(event_log_take_head(log, origin->db, &error), STATUS_OK, &error);
    for (size_t i = 0; i < count; i++)
        expect(event_log_append(log, type, &subject, clock_now_us(), "", &event, &error), STATUS_OK, &error);
    expect(event_log_save(log, origin->db, &error), STATUS_OK, &error);
    expect(db_commit(origin->db, &error), STATUS_OK, &error);
    event_log_publish(log);
}

static const struct db_statement LOSE_TAIL = {
    .name = "test_lose_tail",
    .sql = "DELETE FROM event_log WHERE seq > $1",
};

void origin_go_back(struct origin *origin, uint64_t seq)
{
    struct error error = {0};
    struct event_position position;
    struct db_params *params = db_params_create();
    assert_non_null(params);
    db_params_int(params, (int64_t)seq);
    db_params_end_row(params);
    expect(event_store_read_position(origin->db, seq, &position, &error), STATUS_OK, &error);
    const struct event_head head = {.seq = seq, .event_id = position.event_id};
    const int64_t before = position.head.era;
    expect(db_begin(origin->db, &error), STATUS_OK, &error);
    expect(db_run(origin->db, &LOSE_TAIL, params, NULL, NULL, &error), STATUS_OK, &error);
    expect(event_store_move_head(origin->db, &head, &error), STATUS_OK, &error);
    expect(db_commit(origin->db, &error), STATUS_OK, &error);
    db_params_destroy(params);
    expect(db_begin(origin->db, &error), STATUS_OK, &error);
    db_rollback(origin->db); /* makes both logs read the head row again */
    origin_commit(origin, "", 0, false);
    assert_int_not_equal(origin_era(origin), before);
}

void origin_begin_era(struct origin *origin)
{
    struct error error = {0};
    struct event_log *log = origin->silent_log;
    expect(db_begin(origin->db, &error), STATUS_OK, &error);
    expect(event_log_take_head(log, origin->db, &error), STATUS_OK, &error);
    expect(era_begin(origin->db, event_log_era(log), &error), STATUS_OK, &error);
    expect(db_commit(origin->db, &error), STATUS_OK, &error);
    event_log_publish(log);
}

int64_t origin_era(struct origin *origin)
{
    struct error error = {0};
    struct event_head head;
    expect(event_store_read_head(origin->db, &head, &error), STATUS_OK, &error);
    return head.era;
}

char *origin_event_id(struct origin *origin, uint64_t seq, char out[UUID_TEXT_SIZE])
{
    struct error error = {0};
    struct event_position position;
    expect(event_store_read_position(origin->db, seq, &position, &error), STATUS_OK, &error);
    return event_id_format(&position.event_id, out);
}

enum status origin_fetch(struct origin *origin, const Screening__V1__FetchRequest *request,
                         uint32_t timeout_ms, struct arena *arena, Screening__V1__FetchResponse **response,
                         struct error *error)
{
    struct rpc_client_call call = {.timeout_ms = timeout_ms};
    ProtobufCMessage *message = NULL;
    enum status status =
        rpc_client_call_wait(origin->client, "Fetch", &request->base, &call, arena, &message);
    *response = (Screening__V1__FetchResponse *)message;
    *error = call.error;
    return status;
}

nng_msg *origin_message(struct origin *origin, uint64_t first, size_t count)
{
    char prev_event_id[UUID_TEXT_SIZE];
    struct error error = {0};
    struct arena arena;
    arena_init(&arena);
    Screening__V1__FetchRequest request = SCREENING__V1__FETCH_REQUEST__INIT;
    request.after_seq = count > 0 ? first - 1 : first;
    request.max_events = (uint32_t)count;
    Screening__V1__FetchResponse *response;
    expect(origin_fetch(origin, &request, 5000, &arena, &response, &error), STATUS_OK, &error);

    Screening__V1__EventBatch batch = SCREENING__V1__EVENT_BATCH__INIT;
    batch.log_id = response->log_id;
    batch.head_seq = count > 0 ? first + count - 1 : first;
    batch.prev_event_id = origin_event_id(origin, request.after_seq, prev_event_id);
    batch.events = response->events;
    batch.n_events = count;
    batch.era = response->era;
    size_t size = screening__v1__event_batch__get_packed_size(&batch);
    nng_msg *message;
    assert_int_equal(nng_msg_alloc(&message, strlen("booking\n") + size), 0);
    uint8_t *body = nng_msg_body(message);
    memcpy(body, "booking\n", strlen("booking\n"));
    screening__v1__event_batch__pack(&batch, body + strlen("booking\n"));
    arena_fini(&arena);
    return message;
}

/* ---- a service that follows ---- */

static const struct db_statement INSERT_APPLIED = {
    .name = "test_insert_applied",
    .sql = "INSERT INTO applied (seq) VALUES ($1)",
};

static const struct db_statement COUNT_APPLIED = {
    .name = "test_count_applied",
    .sql = "SELECT count(*) FROM applied",
};

static const struct db_statement MOST_APPLIED = {
    .name = "test_most_applied",
    .sql =
        "SELECT coalesce(max(times), 0) FROM (SELECT count(*) AS times FROM applied GROUP BY seq) AS counted",
};

static enum status react(struct service *service, struct db *db, const Screening__V1__Event *event,
                         struct error *error)
{
    const char *poison = atomic_load(&service->poison);
    if (poison != NULL && strcmp(event->type, poison) == 0)
        return error_set(error, STATUS_INTERNAL, NULL, "poison");
    struct db_params *params = db_params_create();
    assert_non_null(params);
    db_params_int(params, (int64_t)event->seq);
    db_params_end_row(params);
    enum status status = db_run(db, &INSERT_APPLIED, params, NULL, NULL, error);
    db_params_destroy(params);
    return status;
}

static enum status apply(void *context, struct db *db, struct writer_command *const *commands, size_t count,
                         struct error *error)
{
    struct service *service = context;
    enum status status = STATUS_OK;
    /*
     * Load `failures` first. A batch that does not fail then sees everything that the test committed before
     * it reset `failures`.
     */
    bool fails = atomic_load(&service->failures) > 0;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        struct event_chunk *chunk = (struct event_chunk *)commands[i];
        size_t events = 0;
        atomic_fetch_add(&service->chunks, 1);
        status = event_chunk_begin(chunk, db, &events, error);
        for (size_t j = 0; j < events && status == STATUS_OK; j++)
            status = react(service, db, event_chunk_events(chunk)[j], error);
        if (status == STATUS_OK)
            status = event_chunk_finish(chunk, db, error);
    }
    if (status == STATUS_OK && fails) {
        atomic_fetch_sub(&service->failures, 1);
        status = error_set(error, atomic_load(&service->failure), NULL, "the test wants it so");
    }
    return status;
}

struct db *stage_open_beside(const struct stage *stage)
{
    struct error error = {0};
    struct db *db;
    char lock[TEXT_SIZE];
    snprintf(lock, sizeof lock, "%s/service.db-lock", stage->folder);
    unlink(lock);
    expect(db_open(stage->service_url, DB_READ_WRITE, &db, &error), STATUS_OK, &error);
    return db;
}

void service_open(struct service *service, const struct stage *stage)
{
    static const struct writer_options options = {0};
    const struct writer_ops ops = {.apply = apply, .context = service};
    struct error error = {0};
    struct db *db;
    *service = (struct service){.stage = stage, .failure = STATUS_UNAVAILABLE};
    expect(db_open(stage->service_url, DB_READ_WRITE, &db, &error), STATUS_OK, &error);
    expect(events_migrate(db, &error), STATUS_OK, &error);
    expect(db_run_script(db, "CREATE TABLE IF NOT EXISTS applied (seq BIGINT NOT NULL)", &error), STATUS_OK,
           &error);
    expect(db_open(stage->service_url, DB_READ_ONLY, &service->db, &error), STATUS_OK, &error);
    expect(writer_open(db, &options, &ops, &service->writer, &error), STATUS_OK, &error);
}

void service_close(struct service *service)
{
    writer_close(service->writer);
    db_close(service->db);
}

int64_t service_applied(struct service *service)
{
    return number_of(service->db, &COUNT_APPLIED);
}

int64_t service_applied_most(struct service *service)
{
    return number_of(service->db, &MOST_APPLIED);
}

struct applied_wanted {
    struct service *service;
    int64_t count;
};

static bool enough_applied(void *context)
{
    struct applied_wanted *wanted = context;
    return service_applied(wanted->service) >= wanted->count;
}

void service_wait_applied(struct service *service, int64_t count)
{
    struct applied_wanted wanted = {.service = service, .count = count};
    wait_until(enough_applied, &wanted, "events applied");
    assert_int_equal(service_applied(service), count);
    assert_int_equal(service_applied_most(service), count > 0 ? 1 : 0);
}
