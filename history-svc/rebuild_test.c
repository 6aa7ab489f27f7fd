/* Tests a rebuild while the live intake keeps following both logs. Needs PostgreSQL. */
#include "history_testing.h"
#include "intake.h"
#include "rebuild.h"
#include "schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATIENCE_S = 20, SHORT_PATIENCE_S = 1 };

/* ---- two publishers ---- */

struct publisher {
    const char *log;
    char rpc[TEXT_SIZE];
    char events[TEXT_SIZE];
    char file[TEXT_SIZE];
    char url[TEXT_SIZE];
    struct db *db;
    struct event_log *events_log;
    struct event_publisher *publisher;
    struct rpc_server *server;
};

static void publisher_open(struct publisher *publisher, const char *folder, const char *log)
{
    struct error error = {0};
    *publisher = (struct publisher){.log = log};
    snprintf(publisher->rpc, TEXT_SIZE, "ipc://%s/%s.rpc", folder, log);
    snprintf(publisher->events, TEXT_SIZE, "ipc://%s/%s.events", folder, log);
    snprintf(publisher->file, TEXT_SIZE, "%s/%s.db", folder, log);
    snprintf(publisher->url, TEXT_SIZE, "sqlite:%s/%s.db", folder, log);
    const struct event_publisher_options events = {
        .topic = log, .address = publisher->events, .heartbeat_ms = 50};
    const struct rpc_server_options rpc = {
        .address = publisher->rpc, .program = "history_rebuild_test", .contexts = 64};
    expect(db_open(publisher->url, DB_READ_WRITE, &publisher->db, &error), STATUS_OK, &error);
    expect(events_migrate(publisher->db, &error), STATUS_OK, &error);
    expect(event_publisher_open(&events, &publisher->publisher, &error), STATUS_OK, &error);
    publisher->events_log = event_log_create(publisher->publisher);
    assert_non_null(publisher->events_log);
    expect(rpc_server_open(&rpc, &publisher->server, &error), STATUS_OK, &error);
    rpc_server_add(publisher->server, event_publisher_service(publisher->publisher));
    expect(rpc_server_start(publisher->server, &error), STATUS_OK, &error);
    expect(event_publisher_start(publisher->publisher, publisher->url, &error), STATUS_OK, &error);
    rpc_server_serve(publisher->server);
}

static void publisher_close(struct publisher *publisher)
{
    event_publisher_drain(publisher->publisher);
    rpc_server_close(publisher->server);
    event_publisher_close(publisher->publisher);
    event_log_destroy(publisher->events_log);
    db_close(publisher->db);
}

static void publish(struct publisher *publisher, const Screening__V1__Event *event)
{
    struct error error = {0};
    const struct uuid subject = {{0}};
    int64_t occurred_at_us = event->occurred_at->seconds * 1000000;
    expect(db_begin(publisher->db, &error), STATUS_OK, &error);
    expect(event_log_take_head(publisher->events_log, publisher->db, &error), STATUS_OK, &error);
    expect(event_log_append(publisher->events_log, event->type, &subject, occurred_at_us, "", event, &error),
           STATUS_OK, &error);
    expect(event_log_save(publisher->events_log, publisher->db, &error), STATUS_OK, &error);
    expect(db_commit(publisher->db, &error), STATUS_OK, &error);
    event_log_publish(publisher->events_log);
}

/* ---- the running history ---- */

struct scene {
    struct place *place;
    char folder[64];
    struct publisher booking, hospital;
    struct intake_options options;
    struct intake *intake; /* the live intake */
    struct db *reader;     /* like the service's connections: opened once, with prepared statements */
    uint32_t sent;         /* number of published bookings */
};

static void follow(struct scene *scene)
{
    struct error error = {0};
    struct db *db;
    expect(db_open(scene->place->url, DB_READ_WRITE, &db, &error), STATUS_OK, &error);
    expect(db_use_schema(db, SCHEMA_LIVE, &error), STATUS_OK, &error);
    expect(intake_open(&scene->options, db, &scene->intake, &error), STATUS_OK, &error);
    expect(intake_follow(scene->intake, &error), STATUS_OK, &error);
}

static void scene_open(struct scene *scene, struct place *place)
{
    struct error error = {0};
    *scene = (struct scene){.place = place};
    snprintf(scene->folder, sizeof scene->folder, "/tmp/history_test.XXXXXX");
    assert_non_null(mkdtemp(scene->folder));
    publisher_open(&scene->booking, scene->folder, "booking");
    publisher_open(&scene->hospital, scene->folder, "hospital");
    scene->options = (struct intake_options){
        .database_url = place->url,
        .schema = SCHEMA_LIVE,
        .sources = {[INTAKE_BOOKING] = {scene->booking.rpc, scene->booking.events, {NULL, NULL}},
                    [INTAKE_HOSPITAL] = {scene->hospital.rpc, scene->hospital.events, {NULL, NULL}}},
    };
    expect(db_open(place->url, DB_READ_ONLY, &scene->reader, &error), STATUS_OK, &error);
    expect(db_use_schema(scene->reader, SCHEMA_LIVE, &error), STATUS_OK, &error);
    follow(scene);
}

static void remove_file(const char *file, const char *suffix)
{
    char path[TEXT_SIZE + 16];
    snprintf(path, sizeof path, "%s%s", file, suffix);
    unlink(path);
}

static void scene_close(struct scene *scene)
{
    intake_close(scene->intake);
    db_close(scene->reader);
    publisher_close(&scene->booking);
    publisher_close(&scene->hospital);
    const char *const files[] = {scene->booking.file, scene->hospital.file};
    for (size_t i = 0; i < 2; i++) {
        remove_file(files[i], "");
        remove_file(files[i], "-wal");
        remove_file(files[i], "-shm");
        remove_file(files[i], "-lock");
    }
    rmdir(scene->folder);
}

/* Confirms `count` more bookings, with one commit each, and immediately cancels every third of them. */
static void publish_bookings(struct scene *scene, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct sent_booking sent = {.booking = ++scene->sent,
                                    .hospital = 900,
                                    .customer = "c-1",
                                    .status = SCREENING__V1__BOOKING_STATUS__CONFIRMED,
                                    .version = 2,
                                    .day = TEST_DAY,
                                    .created_at_us = 1000 + scene->sent};
        arena_reset(&scene->place->arena);
        publish(&scene->booking, make_booking_event(&scene->place->arena, &sent));
        if (scene->sent % 3 != 0)
            continue;
        sent.status = SCREENING__V1__BOOKING_STATUS__CANCELLED;
        sent.version = 3;
        publish(&scene->booking, make_booking_event(&scene->place->arena, &sent));
    }
}

/* Returns whether the entries of all published bookings and cancellations are visible. */
static bool all_bookings_seen(void *context)
{
    static const struct db_statement count = {.name = "test_rebuild_count",
                                              .sql = "SELECT count(*) FROM timeline_entry"};
    struct scene *scene = context;
    return number_of(scene->reader, &count) == scene->sent + scene->sent / 3;
}

static bool deletion_seen(void *context)
{
    return place_view(context, 1).provisional;
}

/* ---- the schema's contents, as one digest per table ---- */

/* The digest of the indexes, including those of the partitions, which a rebuild creates differently. */
static const char SHAPE[] = "SELECT md5(string_agg(indexdef, '|' ORDER BY indexdef)) FROM pg_indexes "
                            "WHERE schemaname = 'history'";

static const char *const TABLES[] = {"booking_summary", "timeline_entry", "hospital",       "unknown_event",
                                     "event_cursor",    "dead_letter",    "event_log_head", "schema_version"};
enum { TABLE_COUNT = sizeof TABLES / sizeof TABLES[0], DIGEST_TEXT_SIZE = 64 };

struct dump {
    char digests[TABLE_COUNT + 1][DIGEST_TEXT_SIZE]; /* the last one is of SHAPE */
    size_t count;
};

static enum status take_digest(void *context, const struct db_row *row)
{
    struct dump *dump = context;
    snprintf(dump->digests[dump->count++], DIGEST_TEXT_SIZE, "%s", db_row_text(row, 0));
    return STATUS_OK;
}

static void take_dump(struct scene *scene, struct dump *dump)
{
    struct error error = {0};
    dump->count = 0;
    for (size_t i = 0; i <= TABLE_COUNT; i++) {
        char sql[TEXT_SIZE];
        struct db *db;
        if (i == TABLE_COUNT)
            snprintf(sql, sizeof sql, "%s", SHAPE);
        else
            snprintf(sql, sizeof sql,
                     "SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM history.%s t", TABLES[i]);
        const struct db_statement statement = {.name = "test_digest", .sql = sql};
        expect(db_open(scene->place->url, DB_READ_ONLY, &db, &error), STATUS_OK, &error);
        expect(db_run(db, &statement, NULL, take_digest, dump, &error), STATUS_OK, &error);
        db_close(db);
    }
}

static void assert_same_dump(const struct dump *before, const struct dump *after)
{
    assert_int_equal(after->count, TABLE_COUNT + 1);
    assert_string_equal(before->digests[TABLE_COUNT], after->digests[TABLE_COUNT]);
    for (size_t i = 0; i < TABLE_COUNT; i++)
        if (strcmp(before->digests[i], after->digests[i]) != 0)
            fail_msg("%s is not the same", TABLES[i]);
}

/* Counts the schemas that a rebuild creates but must not leave behind. */
static int64_t count_leftovers(struct scene *scene)
{
    static const struct db_statement count = {
        .name = "test_count_leftovers",
        .sql = "SELECT count(*) FROM pg_namespace WHERE nspname IN ('history_rebuild', 'history_old')"};
    return number_of(scene->reader, &count);
}

static void rebuild(struct scene *scene, uint64_t booking_events)
{
    struct error error = {0};
    struct rebuild_counts counts;
    expect(rebuild_run(&scene->options, scene->place->db, PATIENCE_S, &counts, &error), STATUS_OK, &error);
    assert_int_equal(counts.applied_seq[INTAKE_BOOKING], booking_events);
    assert_int_equal(counts.dead_letters, 0);
    assert_int_equal(count_leftovers(scene), 0);
}

/* ---- the tests ---- */

static void test_history_rebuild_makes_the_same_tables(void **state)
{
    struct scene scene;
    struct dump before, after;
    scene_open(&scene, place_of(state));
    Screening__V1__Event *unknown = make_hospital_registered(&scene.place->arena, 901, "Other");
    static char unknown_type[] = "hospital.renamed";
    unknown->type = unknown_type;
    publish(&scene.hospital, make_hospital_registered(&scene.place->arena, 900, "Clinic"));
    publish(&scene.hospital, unknown);
    publish(&scene.hospital, make_hospital_deleted(&scene.place->arena, 900, TEST_DAY));
    publish_bookings(&scene, 30);
    wait_until(all_bookings_seen, &scene, "bookings");
    wait_until(deletion_seen, scene.place, "the deletion");
    intake_close(scene.intake); /* so that no event is applied between the dumps */
    scene.intake = NULL;
    take_dump(&scene, &before);
    rebuild(&scene, 40);
    take_dump(&scene, &after);
    assert_same_dump(&before, &after);
    scene_close(&scene);
}

static void test_history_rebuild_beside_a_running_history_loses_nothing(void **state)
{
    struct scene scene;
    struct dump before, after;
    scene_open(&scene, place_of(state));
    publish_bookings(&scene, 9);
    wait_until(all_bookings_seen, &scene, "bookings before");
    for (uint32_t round = 1; round <= 3; round++) {
        rebuild(&scene, (uint64_t)round * 12);
        publish_bookings(&scene, 9);
        /* The writer, the cursors and the reader's prepared statement must all use the new tables. */
        wait_until(all_bookings_seen, &scene, "bookings after");
    }
    intake_close(scene.intake);
    scene.intake = NULL;
    take_dump(&scene, &before);
    rebuild(&scene, 48);
    take_dump(&scene, &after);
    assert_same_dump(&before, &after);
    scene_close(&scene);
}

static bool has_diverged(void *context)
{
    struct event_follower_status status;
    event_follower_status(intake_follower(((struct scene *)context)->intake, INTAKE_BOOKING), &status);
    return status.state == FOLLOWER_DIVERGED;
}

static void test_history_rebuild_after_divergence_is_followed_at_the_next_start(void **state)
{
    static const char forget[] = "DELETE FROM event_log; DELETE FROM event_log_head";
    struct scene scene;
    struct error error = {0};
    scene_open(&scene, place_of(state));
    publish_bookings(&scene, 9);
    wait_until(all_bookings_seen, &scene, "bookings");
    expect(db_run_script(scene.booking.db, forget, &error), STATUS_OK, &error);
    expect(events_migrate(scene.booking.db, &error), STATUS_OK, &error);
    scene.sent = 0;
    publish_bookings(&scene, 3);
    wait_until(has_diverged, &scene, "divergence");
    rebuild(&scene, 4);
    intake_close(scene.intake);
    follow(&scene);
    publish_bookings(&scene, 3);
    wait_until(all_bookings_seen, &scene, "bookings of the new log");
    scene_close(&scene);
}

static void test_history_rebuild_without_a_publisher_leaves_the_tables(void **state)
{
    struct scene scene;
    struct dump before, after;
    struct error error = {0};
    struct rebuild_counts counts;
    scene_open(&scene, place_of(state));
    publish_bookings(&scene, 3);
    wait_until(all_bookings_seen, &scene, "bookings");
    take_dump(&scene, &before);
    struct intake_options nowhere = scene.options;
    nowhere.sources[INTAKE_HOSPITAL] = (struct intake_source){.rpc_address = "ipc:///nonexistent/rpc",
                                                              .events_addresses = "ipc:///nonexistent/ev"};
    expect(rebuild_run(&nowhere, scene.place->db, SHORT_PATIENCE_S, &counts, &error), STATUS_UNAVAILABLE,
           &error);
    assert_non_null(strstr(error.message, "hospital log: disconnected"));
    assert_int_equal(count_leftovers(&scene), 0);
    take_dump(&scene, &after);
    assert_same_dump(&before, &after);
    scene_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_PLACE(test_history_rebuild_makes_the_same_tables),
        TEST_PLACE(test_history_rebuild_beside_a_running_history_loses_nothing),
        TEST_PLACE(test_history_rebuild_after_divergence_is_followed_at_the_next_start),
        TEST_PLACE(test_history_rebuild_without_a_publisher_leaves_the_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
