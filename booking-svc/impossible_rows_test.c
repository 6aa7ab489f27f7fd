/* Tests that impossible rows (from damage or a manual change) cause an error, never an abort. */
#include "batch.h"
#include "store.h"

#include <stdio.h>

#include "base/unit_testing.h"
#include "db/db_testing.h"
#include "events/event_log.h"

enum { TODAY = 20788 };

static const struct uuid BOOKING_ID = {{1}}, HOSPITAL_ID = {{2}};

struct impossible {
    const char *change, *undo; /* assignments for UPDATE ... SET */
    bool sqlite_only;          /* whether PostgreSQL's types exclude the change */
};

static const struct impossible ROWS[] = {
    {"status = 0", "status = 2", false},
    {"status = 6", "status = 2", false},
    {"status = -1", "status = 2", false},
    {"status = 'x'", "status = 2", true},
    {"headcount = -1", "headcount = 1", false},
    {"headcount = 4294967296", "headcount = 1", true},
    {"version = 0", "version = 2", false},
    {"version = -1", "version = 2", false},
    {"announced = 2", "announced = 0", false},
    {"queue_if_unavailable = -1", "queue_if_unavailable = 0", false},
    {"date = '2026-13-01'", "date = '2026-12-02'", true},
    {"first_content = x'07'", "first_content = x'07000000000000000000000000000000'", true},
    {"customer_id = x'07'", "customer_id = 'c'", true},
};

static void script(struct db *db, const char *text)
{
    struct error error = {0};
    fixture_expect(db_run_script(db, text, &error), STATUS_OK, &error);
}

static void set(struct db *db, const char *list)
{
    char text[256];
    (void)snprintf(text, sizeof text, "UPDATE booking SET %s;", list);
    script(db, text);
}

static struct db *open_with_one_booking(void **state)
{
    struct fixture *fixture = fixture_of(state);
    struct error error = {0};
    struct booking booking = {.booking_id = BOOKING_ID,
                              .hospital_id = HOSPITAL_ID,
                              .customer_id = "c",
                              .customer_name = "김하늘",
                              .status_reason = "",
                              .day = TODAY + 1,
                              .headcount = 1,
                              .status = SCREENING__V1__BOOKING_STATUS__CONFIRMED,
                              .version = 2,
                              .first_content = {7},
                              .has_first_content = true};
    struct booking *const bookings[] = {&booking};
    fixture_expect(events_migrate(fixture->db, &error), STATUS_OK, &error);
    fixture_expect(store_migrate(fixture->db, &error), STATUS_OK, &error);
    fixture_expect(store_insert_bookings(fixture->db, bookings, 1, &error), STATUS_OK, &error);
    if (fixture->dialect == DB_SQLITE)
        script(fixture->db, "PRAGMA ignore_check_constraints = ON");
    else
        script(fixture->db, "DO $$ DECLARE found record; BEGIN FOR found IN SELECT conname FROM pg_constraint"
                            " WHERE conrelid = 'booking'::regclass AND contype = 'c' LOOP EXECUTE"
                            " format('ALTER TABLE booking DROP CONSTRAINT %I', found.conname);"
                            " END LOOP; END $$");
    return fixture->db;
}

static enum status see(void *context, const struct booking *booking)
{
    size_t *seen = context;
    assert_true(booking->status >= SCREENING__V1__BOOKING_STATUS__REQUESTED &&
                booking->status <= SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED);
    assert_true(booking->version > 0);
    (*seen)++;
    return STATUS_OK;
}

/* Cancels, settles, resumes and force-cancels the booking in one batch. */
static enum status apply_all(struct batch *batch, struct db *db, struct error *error)
{
    static const enum command_kind KINDS[] = {COMMAND_CANCEL, COMMAND_SETTLE, COMMAND_RESUME,
                                              COMMAND_FORCE_CANCEL};
    enum { KIND_COUNT = sizeof KINDS / sizeof KINDS[0] };
    struct booking_command commands[KIND_COUNT];
    struct writer_command *queue[KIND_COUNT];
    for (size_t i = 0; i < KIND_COUNT; i++) {
        commands[i] = (struct booking_command){.kind = KINDS[i],
                                               .writer = {.class = WRITER_SETTLE},
                                               .booking_id = BOOKING_ID,
                                               .hospital_id = HOSPITAL_ID,
                                               .reason = "r",
                                               .caller = &AUTH_TRUSTED,
                                               .traceparent = ""};
        queue[i] = &commands[i].writer;
    }
    fixture_expect(db_begin(db, error), STATUS_OK, error);
    enum status status = batch_apply(batch, db, queue, KIND_COUNT, error);
    db_rollback(db);
    return status;
}

static void test_booking_impossible_row_fails_every_load(void **state)
{
    struct db *db = open_with_one_booking(state);
    const bool sqlite = db_dialect(db) == DB_SQLITE;
    struct event_log *log = event_log_create(NULL);
    struct batch *batch = batch_create(log);
    assert_non_null(batch);
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct error error = {0};
        size_t seen = 0;
        if (ROWS[i].sqlite_only && !sqlite)
            continue;
        set(db, ROWS[i].change);
        assert_int_equal(store_load_bookings(db, &BOOKING_ID, 1, see, &seen, &error), STATUS_INTERNAL);
        assert_int_equal(apply_all(batch, db, &error), STATUS_INTERNAL);
        assert_int_equal(seen, 0);
        set(db, ROWS[i].undo);
        fixture_expect(apply_all(batch, db, &error), STATUS_OK, &error);
    }
    batch_destroy(batch);
    event_log_destroy(log);
}

static enum status see_deletion(void *context, const struct hospital_deletion *deletion)
{
    (void)deletion;
    (*(size_t *)context)++;
    return STATUS_OK;
}

static void test_booking_impossible_deletion_fails_its_load(void **state)
{
    struct db *db = open_with_one_booking(state);
    struct error error = {0};
    struct hospital_deletion deletion = {.hospital_id = HOSPITAL_ID, .day = TODAY};
    struct hospital_deletion *const deletions[] = {&deletion};
    size_t seen = 0;
    fixture_expect(store_save_deletions(db, deletions, 1, &error), STATUS_OK, &error);
    fixture_expect(store_load_deletions(db, &HOSPITAL_ID, 1, see_deletion, &seen, &error), STATUS_OK, &error);
    script(db, "UPDATE hospital_deletion SET done = 2");
    assert_int_equal(store_load_deletions(db, &HOSPITAL_ID, 1, see_deletion, &seen, &error), STATUS_INTERNAL);
    assert_int_equal(seen, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_booking_impossible_row_fails_every_load),
        TEST_BOTH(test_booking_impossible_deletion_fails_its_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
