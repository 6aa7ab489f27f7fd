/* Tests migrations of booking-svc's tables that change a database of an earlier version. */
#include "store.h"

#include <string.h>

#include "base/unit_testing.h"
#include "db/db_testing.h"
#include "db/migrate.h"

extern const struct db_migration BOOKING_MIGRATIONS[];

enum { BEFORE_FIRST_CONTENT = 3 }; /* version of the schema */

static const uint8_t DIGEST[BOOKING_HASH_BYTES] = {7, 0, 9};
static const struct uuid OLD_ID = {{1}}, NEW_ID = {{2}}, HOSPITAL_ID = {{3}};

static const struct db_statement INSERT_OLD = {
    .name = "test_insert_old",
    .sql =
        "INSERT INTO booking (booking_id, customer_id, customer_name, hospital_id, date, headcount, status,"
        " status_reason, created_at_us, updated_at_us, version, content_hash, queue_if_unavailable,"
        " announced) VALUES ($1, 'c', 'n', $2, $3, 1, 2, '', 1, 1, 2, $4, 0, 0)",
};
static const struct db_statement COUNT_DAMAGE = {
    .name = "test_count_damage",
    .sql = "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
    .postgresql = "SELECT 0",
};

static enum status check_booking(void *context, const struct booking *booking)
{
    size_t *seen = context;
    const bool is_old = uuid_equal(&booking->booking_id, &OLD_ID);
    static const uint8_t NOTHING[BOOKING_HASH_BYTES];
    assert_int_equal(booking->has_first_content, is_old);
    assert_memory_equal(booking->first_content, is_old ? DIGEST : NOTHING, BOOKING_HASH_BYTES);
    ++*seen;
    return STATUS_OK;
}

static void test_migration_of_first_content_keeps_digests_and_needs_none(void **state)
{
    struct fixture *f = fixture_of(state);
    struct error error = {0};
    struct booking added = {.booking_id = NEW_ID,
                            .hospital_id = HOSPITAL_ID,
                            .customer_id = "c",
                            .customer_name = "n",
                            .status_reason = "",
                            .headcount = 1,
                            .status = SCREENING__V1__BOOKING_STATUS__CONFIRMED,
                            .version = 2};
    struct booking *const bookings[] = {&added};
    const struct uuid ids[] = {OLD_ID, NEW_ID};
    size_t seen = 0;
    fixture_expect(db_migrate(f->db, "booking", BOOKING_MIGRATIONS, BEFORE_FIRST_CONTENT, &error), STATUS_OK,
                   &error);
    db_params_uuid(f->params, &OLD_ID);
    db_params_uuid(f->params, &HOSPITAL_ID);
    db_params_date(f->params, 20000);
    db_params_bytes(f->params, DIGEST, sizeof DIGEST);
    db_params_end_row(f->params);
    fixture_expect(db_run(f->db, &INSERT_OLD, f->params, NULL, NULL, &error), STATUS_OK, &error);

    fixture_expect(store_migrate(f->db, &error), STATUS_OK, &error);
    fixture_expect(store_insert_bookings(f->db, bookings, 1, &error), STATUS_OK, &error);
    fixture_expect(store_load_bookings(f->db, ids, 2, check_booking, &seen, &error), STATUS_OK, &error);
    assert_int_equal(seen, 2);
    assert_int_equal(fixture_number(f->db, &COUNT_DAMAGE), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_migration_of_first_content_keeps_digests_and_needs_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
