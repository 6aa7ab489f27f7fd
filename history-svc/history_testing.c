#include "history_testing.h"

#include "schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/civil.h"
#include "base/instant.h"
#include "base/uuid.h"

enum { S_PER_DAY = 86400, NOON_IN_SEOUL_S = 3 * 3600 };
static const char LOG_ID[] = "018f0000-0000-7000-8000-00000000ffff";

/* ---- a database of one test ---- */

static void run_on_server(const char *command, const char *database, const char *option)
{
    struct error error = {0};
    struct db *db;
    char script[TEXT_SIZE];
    snprintf(script, sizeof script, "%s DATABASE %s %s", command, database, option);
    expect(db_open(getenv("SCREENING_TEST_POSTGRESQL"), DB_READ_WRITE, &db, &error), STATUS_OK, &error);
    expect(db_run_script(db, script, &error), STATUS_OK, &error);
    db_close(db);
}

int place_setup(void **state)
{
    static int count;
    const char *server = getenv("SCREENING_TEST_POSTGRESQL");
    struct error error = {0};
    *state = NULL;
    if (server == NULL)
        return 0;
    expect(civil_zone_set("Asia/Seoul", &error), STATUS_OK, &error);
    struct place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    snprintf(place->database, sizeof place->database, "history_test_%d_%d", (int)getpid(), count++);
    run_on_server("CREATE", place->database, "");
    snprintf(place->url, sizeof place->url, "%s%cdbname=%s", server, strchr(server, '?') != NULL ? '&' : '?',
             place->database);
    expect(db_open(place->url, DB_READ_WRITE, &place->db, &error), STATUS_OK, &error);
    expect(schema_prepare(place->db, SCHEMA_LIVE, &error), STATUS_OK, &error);
    place->batch = batch_create();
    assert_non_null(place->batch);
    arena_init(&place->arena);
    *state = place;
    return 0;
}

int place_teardown(void **state)
{
    struct place *place = *state;
    if (place == NULL)
        return 0;
    batch_destroy(place->batch);
    arena_fini(&place->arena);
    db_close(place->db);
    run_on_server("DROP", place->database, "WITH (FORCE)");
    free(place);
    return 0;
}

struct place *place_of(void **state)
{
    if (*state == NULL) {
        print_message("skipped: SCREENING_TEST_POSTGRESQL is not set\n");
        skip();
    }
    return *state;
}

/* ---- events ---- */

struct uuid test_id(uint32_t number)
{
    struct uuid id = {{0x01, 0x8f}};
    id.bytes[14] = (uint8_t)(number >> 8);
    id.bytes[15] = (uint8_t)number;
    return id;
}

static char *id_text(struct arena *arena, struct uuid id)
{
    char text[UUID_TEXT_SIZE];
    return arena_strdup(arena, uuid_format(&id, text));
}

static Google__Protobuf__Timestamp *instant(struct arena *arena, int64_t instant_us)
{
    Google__Protobuf__Timestamp *timestamp = arena_alloc(arena, sizeof *timestamp);
    assert_non_null(timestamp);
    instant_write(instant_us, timestamp);
    return timestamp;
}

static Screening__V1__Event *make_event(struct arena *arena, const char *type, int64_t occurred_at_us)
{
    Screening__V1__Event *event = arena_alloc(arena, sizeof *event);
    assert_non_null(event);
    screening__v1__event__init(event);
    event->event_id = id_text(arena, uuid_v7());
    event->type = arena_strdup(arena, type);
    event->occurred_at = instant(arena, occurred_at_us);
    return event;
}

Screening__V1__Event *make_booking_event(struct arena *arena, const struct sent_booking *sent)
{
    static const char *const types[] = {NULL,
                                        "booking.requested",
                                        "booking.confirmed",
                                        "booking.rejected",
                                        "booking.cancelled",
                                        "booking.force_cancelled"};
    char date[CIVIL_TEXT_SIZE];
    Screening__V1__Event *event =
        make_event(arena, types[sent->status], sent->created_at_us + (int64_t)sent->version);
    Screening__V1__Booking *booking = arena_alloc(arena, sizeof *booking);
    assert_non_null(booking);
    screening__v1__booking__init(booking);
    booking->booking_id = id_text(arena, test_id(sent->booking));
    booking->hospital_id = id_text(arena, test_id(sent->hospital));
    booking->customer_id = arena_strdup(arena, sent->customer);
    booking->customer_name = arena_strdup(arena, "name");
    booking->date = arena_strdup(arena, civil_format(sent->day, date));
    booking->headcount = 1;
    booking->status = sent->status;
    booking->status_reason = arena_strdup(arena, sent->reason != NULL ? sent->reason : "");
    booking->created_at = instant(arena, sent->created_at_us);
    booking->updated_at = event->occurred_at;
    booking->version = sent->version;
    event->body_case = SCREENING__V1__EVENT__BODY_BOOKING;
    event->booking = booking;
    return event;
}

static Screening__V1__Event *make_hospital_event(struct arena *arena, const char *type, uint32_t number,
                                                 const char *name, int64_t occurred_at_us)
{
    Screening__V1__Event *event = make_event(arena, type, occurred_at_us);
    Screening__V1__Hospital *hospital = arena_alloc(arena, sizeof *hospital);
    assert_non_null(hospital);
    screening__v1__hospital__init(hospital);
    hospital->hospital_id = id_text(arena, test_id(number));
    hospital->name = arena_strdup(arena, name);
    event->body_case = SCREENING__V1__EVENT__BODY_HOSPITAL;
    event->hospital = hospital;
    return event;
}

Screening__V1__Event *make_hospital_registered(struct arena *arena, uint32_t hospital, const char *name)
{
    return make_hospital_event(arena, "hospital.registered", hospital, name, 1000000);
}

Screening__V1__Event *make_hospital_deleted(struct arena *arena, uint32_t hospital, int32_t day)
{
    int64_t noon_us = ((int64_t)day * S_PER_DAY + NOON_IN_SEOUL_S) * 1000000;
    return make_hospital_event(arena, "hospital.deleted", hospital, "", noon_us);
}

/* ---- chunks ---- */

static enum status apply_once(struct place *place, struct writer_command *command, struct error *error)
{
    enum status status = db_begin(place->db, error);
    if (status == STATUS_OK)
        status = batch_apply(place->batch, place->db, &command, 1, error);
    if (status == STATUS_OK)
        status = db_commit(place->db, error);
    if (status != STATUS_OK)
        db_rollback(place->db);
    return status;
}

enum status place_apply(struct place *place, const char *log, Screening__V1__Event **events, size_t count,
                        struct error *error)
{
    uint64_t *seq = strcmp(log, "booking") == 0 ? &place->booking_seq : &place->hospital_seq;
    for (size_t i = 0; i < count; i++)
        events[i]->seq = *seq + 1 + i;
    struct event_chunk chunk = {.log = log, .log_id = LOG_ID, .events = events, .count = count};
    struct writer_command *command = &chunk.writer;
    command->class = WRITER_EVENT;
    enum status status = apply_once(place, command, error);
    if (status == STATUS_ABORTED) /* apply again, as the writer does */
        status = apply_once(place, command, error);
    if (status == STATUS_OK)
        *seq += count;
    return status;
}

void place_apply_booking(struct place *place, const struct sent_booking *sent)
{
    struct error error = {0};
    Screening__V1__Event *event = make_booking_event(&place->arena, sent);
    expect(place_apply(place, "booking", &event, 1, &error), STATUS_OK, &error);
}

static enum status take_view(void *context, const struct summary_row *summary, const struct entry_row *entry)
{
    (void)entry;
    *(struct booking_view *)context =
        projection_view(summary->booking.message.status, summary->booking.day, &summary->deletion);
    return STATUS_OK;
}

struct booking_view place_view(struct place *place, uint32_t booking)
{
    struct booking_view view = {0};
    struct uuid id = test_id(booking);
    struct error error = {0};
    expect(store_load_history(place->db, &id, &STORE_SEES_ALL, take_view, &view, &error), STATUS_OK, &error);
    return view;
}
