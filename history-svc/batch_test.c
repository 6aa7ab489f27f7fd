/* Applies chunks to the tables and checks what reads return. Needs PostgreSQL. */
#include "history_testing.h"

#include <string.h>

static const struct db_statement COUNT_ENTRIES = {.name = "test_count_entries",
                                                  .sql = "SELECT count(*) FROM timeline_entry"};
static const struct db_statement COUNT_BOOKINGS = {.name = "test_count_bookings",
                                                   .sql = "SELECT count(*) FROM booking_summary"};
static const struct db_statement COUNT_UNKNOWN = {.name = "test_count_unknown",
                                                  .sql = "SELECT count(*) FROM unknown_event"};

static struct sent_booking booking(uint32_t number, Screening__V1__BookingStatus status, uint64_t version)
{
    return (struct sent_booking){.booking = number,
                                 .hospital = 900,
                                 .customer = "c-1",
                                 .status = status,
                                 .version = version,
                                 .day = TEST_DAY,
                                 .created_at_us = 1000 + number};
}

static void apply_booking(struct place *place, uint32_t number, Screening__V1__BookingStatus status,
                          uint64_t version)
{
    const struct sent_booking sent = booking(number, status, version);
    place_apply_booking(place, &sent);
}

static void apply(struct place *place, const char *log, Screening__V1__Event *event, enum status expected)
{
    struct error error = {0};
    expect(place_apply(place, log, &event, 1, &error), expected, &error);
}

/* ---- the version rule ---- */

static void test_history_batch_versions_in_one_chunk_keep_the_higher(void **state)
{
    struct place *place = place_of(state);
    struct error error = {0};
    const struct sent_booking cancelled = booking(1, SCREENING__V1__BOOKING_STATUS__CANCELLED, 3);
    const struct sent_booking confirmed = booking(1, SCREENING__V1__BOOKING_STATUS__CONFIRMED, 2);
    const struct sent_booking requested = booking(1, SCREENING__V1__BOOKING_STATUS__REQUESTED, 1);
    Screening__V1__Event *events[] = {make_booking_event(&place->arena, &confirmed),
                                      make_booking_event(&place->arena, &cancelled),
                                      make_booking_event(&place->arena, &requested)};
    expect(place_apply(place, "booking", events, 3, &error), STATUS_OK, &error);
    assert_int_equal(place_view(place, 1).status, SCREENING__V1__BOOKING_STATUS__CANCELLED);
    assert_int_equal(number_of(place->db, &COUNT_ENTRIES), 3);
    assert_int_equal(number_of(place->db, &COUNT_BOOKINGS), 1);
}

static void test_history_batch_lower_version_later_is_kept_as_entry_only(void **state)
{
    struct place *place = place_of(state);
    apply_booking(place, 1, SCREENING__V1__BOOKING_STATUS__CANCELLED, 3);
    apply_booking(place, 1, SCREENING__V1__BOOKING_STATUS__CONFIRMED, 2);
    apply_booking(place, 1, SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED, 3);
    assert_int_equal(place_view(place, 1).status, SCREENING__V1__BOOKING_STATUS__CANCELLED);
    assert_int_equal(number_of(place->db, &COUNT_ENTRIES), 3);
}

static void test_history_batch_chunk_again_changes_nothing(void **state)
{
    struct place *place = place_of(state);
    struct error error = {0};
    const struct sent_booking sent = booking(1, SCREENING__V1__BOOKING_STATUS__CONFIRMED, 2);
    Screening__V1__Event *event = make_booking_event(&place->arena, &sent);
    expect(place_apply(place, "booking", &event, 1, &error), STATUS_OK, &error);
    place->booking_seq = 0;
    expect(place_apply(place, "booking", &event, 1, &error), STATUS_OK, &error);
    assert_int_equal(number_of(place->db, &COUNT_ENTRIES), 1);
}

/* ---- malformed and unknown events ---- */

static void test_history_batch_malformed_event_is_internal_and_writes_nothing(void **state)
{
    struct place *place = place_of(state);
    struct error error = {0};
    static char no_date[] = "tomorrow";
    const struct sent_booking sent = booking(1, SCREENING__V1__BOOKING_STATUS__CONFIRMED, 2);
    Screening__V1__Event *events[] = {make_booking_event(&place->arena, &sent),
                                      make_booking_event(&place->arena, &sent)};
    events[1]->booking->date = no_date;
    expect(place_apply(place, "booking", events, 2, &error), STATUS_INTERNAL, &error);
    assert_int_equal(number_of(place->db, &COUNT_BOOKINGS), 0);
    apply_booking(place, 1, SCREENING__V1__BOOKING_STATUS__CONFIRMED, 2);
    assert_int_equal(number_of(place->db, &COUNT_BOOKINGS), 1);
}

static enum status take_unknown(void *context, const struct db_row *row)
{
    struct arena *arena = context;
    size_t size = 0;
    const void *bytes = db_row_bytes(row, 0, &size);
    Screening__V1__Event *event = screening__v1__event__unpack(arena_allocator(arena), size, bytes);
    assert_non_null(event);
    assert_string_equal(event->type, "hospital.renamed");
    assert_string_equal(event->hospital->name, "New name");
    return STATUS_OK;
}

static void test_history_batch_unknown_type_is_kept_whole(void **state)
{
    static const struct db_statement read = {.name = "test_read_unknown",
                                             .sql = "SELECT event FROM unknown_event"};
    static char type[] = "hospital.renamed";
    struct place *place = place_of(state);
    struct error error = {0};
    Screening__V1__Event *event = make_hospital_registered(&place->arena, 900, "New name");
    event->type = type;
    apply(place, "hospital", event, STATUS_OK);
    assert_int_equal(number_of(place->db, &COUNT_UNKNOWN), 1);
    expect(db_run(place->db, &read, NULL, take_unknown, &place->arena, &error), STATUS_OK, &error);
}

/* ---- the provisional rule ---- */

static void test_history_batch_cancelled_first_ends_cancelled_in_any_order(void **state)
{
    struct place *place = place_of(state);
    apply_booking(place, 1, SCREENING__V1__BOOKING_STATUS__CONFIRMED, 2);
    apply_booking(place, 2, SCREENING__V1__BOOKING_STATUS__CONFIRMED, 2);
    apply_booking(place, 1, SCREENING__V1__BOOKING_STATUS__CANCELLED, 3);
    apply(place, "hospital", make_hospital_deleted(&place->arena, 900, TEST_DAY), STATUS_OK);
    assert_int_equal(place_view(place, 1).status, SCREENING__V1__BOOKING_STATUS__CANCELLED);
    assert_int_equal(place_view(place, 2).status, SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED);
    assert_true(place_view(place, 2).provisional);
    apply_booking(place, 2, SCREENING__V1__BOOKING_STATUS__CANCELLED, 3);
    assert_int_equal(place_view(place, 2).status, SCREENING__V1__BOOKING_STATUS__CANCELLED);
    assert_false(place_view(place, 2).provisional);
}

static void test_history_batch_own_event_ends_provisional(void **state)
{
    struct place *place = place_of(state);
    apply(place, "hospital", make_hospital_deleted(&place->arena, 900, TEST_DAY), STATUS_OK);
    apply_booking(place, 1, SCREENING__V1__BOOKING_STATUS__REQUESTED, 1);
    assert_true(place_view(place, 1).provisional);
    apply_booking(place, 1, SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED, 2);
    assert_int_equal(place_view(place, 1).status, SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED);
    assert_false(place_view(place, 1).provisional);
}

static void test_history_batch_first_deletion_stays(void **state)
{
    struct place *place = place_of(state);
    apply_booking(place, 1, SCREENING__V1__BOOKING_STATUS__CONFIRMED, 2);
    apply(place, "hospital", make_hospital_deleted(&place->arena, 900, TEST_DAY + 1), STATUS_OK);
    apply(place, "hospital", make_hospital_deleted(&place->arena, 900, TEST_DAY), STATUS_OK);
    apply(place, "hospital", make_hospital_registered(&place->arena, 900, "Clinic"), STATUS_OK);
    assert_int_equal(place_view(place, 1).status, SCREENING__V1__BOOKING_STATUS__CONFIRMED);
}

/* ---- lists ---- */

/* The rows that a list returned. */
struct shown {
    uint32_t numbers[64];
    size_t count;
    const char *expected_name;
    struct customer_position last;
};

static enum status take_shown(void *context, const struct summary_row *summary)
{
    struct shown *shown = context;
    const struct booking_row *row = &summary->booking;
    shown->numbers[shown->count++] =
        (uint32_t)row->booking_id.bytes[14] << 8 | (uint32_t)row->booking_id.bytes[15];
    shown->last = (struct customer_position){row->created_at_us, row->booking_id};
    if (shown->expected_name != NULL)
        assert_string_equal(summary->hospital_name, shown->expected_name);
    return STATUS_OK;
}

static struct customer_filter any_of(const char *customer)
{
    return (struct customer_filter){.customer_id = customer, .from_day = -700000, .to_day = 2900000};
}

static void list(struct place *place, const struct customer_filter *filter,
                 const struct customer_position *after, uint32_t limit, struct shown *shown)
{
    struct error error = {0};
    struct customer_position newest = {.created_at_us = INT64_MAX};
    memset(newest.booking_id.bytes, 0xff, sizeof newest.booking_id.bytes);
    expect(store_list_customer(place->db, filter, after != NULL ? after : &newest, limit, take_shown, shown,
                               &error),
           STATUS_OK, &error);
}

/* Creates one booking per status, day and hospital (900 is active, 901 deleted on TEST_DAY, 902 unknown). */
static size_t apply_one_of_each(struct place *place, struct sent_booking *sent)
{
    size_t count = 0;
    for (int status = SCREENING__V1__BOOKING_STATUS__REQUESTED;
         status <= SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED; status++)
        for (int32_t day = TEST_DAY - 1; day <= TEST_DAY + 1; day++)
            for (uint32_t hospital = 900; hospital <= 902; hospital++) {
                struct sent_booking *one = &sent[count++];
                *one = booking((uint32_t)count, (Screening__V1__BookingStatus)status, 2);
                one->day = day;
                one->hospital = hospital;
                place_apply_booking(place, one);
            }
    apply(place, "hospital", make_hospital_registered(&place->arena, 900, "Clinic"), STATUS_OK);
    apply(place, "hospital", make_hospital_deleted(&place->arena, 901, TEST_DAY), STATUS_OK);
    return count;
}

static void test_history_list_status_filter_agrees_with_the_view(void **state)
{
    struct place *place = place_of(state);
    struct sent_booking sent[64];
    size_t count = apply_one_of_each(place, sent);
    for (int status = 0; status <= SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED; status++) {
        struct customer_filter filter = any_of("c-1");
        filter.status = status;
        struct shown shown = {0};
        list(place, &filter, NULL, 100, &shown);
        size_t next = 0;
        for (size_t i = count; i > 0; i--) { /* newest first */
            struct hospital_deletion deletion = {sent[i - 1].hospital == 901, TEST_DAY};
            struct booking_view view = projection_view(sent[i - 1].status, sent[i - 1].day, &deletion);
            if (status == 0 || (int)view.status == status)
                assert_int_equal(shown.numbers[next++], sent[i - 1].booking);
        }
        assert_int_equal(shown.count, next);
    }
}

static void test_history_list_dates_are_inclusive(void **state)
{
    struct place *place = place_of(state);
    for (uint32_t i = 1; i <= 4; i++) {
        struct sent_booking sent = booking(i, SCREENING__V1__BOOKING_STATUS__CONFIRMED, 2);
        sent.day = TEST_DAY + (int32_t)i;
        place_apply_booking(place, &sent);
    }
    struct customer_filter filter = any_of("c-1");
    filter.from_day = TEST_DAY + 2;
    filter.to_day = TEST_DAY + 3;
    struct shown shown = {0};
    list(place, &filter, NULL, 100, &shown);
    assert_int_equal(shown.count, 2);
    assert_int_equal(shown.numbers[0], 3);
    assert_int_equal(shown.numbers[1], 2);
}

static void test_history_list_pages_newest_first_without_gap_or_repeat(void **state)
{
    struct place *place = place_of(state);
    for (uint32_t i = 1; i <= 7; i++) {
        struct sent_booking sent = booking(i, SCREENING__V1__BOOKING_STATUS__CONFIRMED, 2);
        sent.created_at_us = 5000 + i / 3; /* three have the same time, so their ids decide the order */
        place_apply_booking(place, &sent);
    }
    struct sent_booking other = booking(50, SCREENING__V1__BOOKING_STATUS__CONFIRMED, 2);
    other.customer = "c-2";
    place_apply_booking(place, &other);
    const struct customer_filter filter = any_of("c-1");
    struct shown shown = {.expected_name = ""};
    list(place, &filter, NULL, 3, &shown);
    while (shown.count < 7) {
        size_t before = shown.count;
        struct customer_position last = shown.last;
        list(place, &filter, &last, 3, &shown);
        assert_true(shown.count > before);
    }
    for (uint32_t i = 0; i < 7; i++)
        assert_int_equal(shown.numbers[i], 7 - i);
    struct customer_position last = shown.last;
    list(place, &filter, &last, 3, &shown);
    assert_int_equal(shown.count, 7);
}

static void test_history_list_name_comes_with_the_hospital_event_however_late(void **state)
{
    struct place *place = place_of(state);
    const struct customer_filter filter = any_of("c-1");
    apply_booking(place, 1, SCREENING__V1__BOOKING_STATUS__CONFIRMED, 2);
    struct shown before = {.expected_name = ""};
    list(place, &filter, NULL, 3, &before);
    apply(place, "hospital", make_hospital_registered(&place->arena, 900, "Clinic"), STATUS_OK);
    struct shown after = {.expected_name = "Clinic"};
    list(place, &filter, NULL, 3, &after);
    apply(place, "hospital", make_hospital_deleted(&place->arena, 900, TEST_DAY), STATUS_OK);
    list(place, &filter, NULL, 3, &after);
    assert_int_equal(before.count, 1);
    assert_int_equal(after.count, 2);
}

/* ---- the history of one booking ---- */

struct story {
    uint64_t versions[8];
    size_t count;
};

static enum status take_version(void *context, const struct summary_row *summary,
                                const struct entry_row *entry)
{
    struct story *story = context;
    assert_int_equal(summary->booking.message.version, 3);
    assert_string_equal(entry->source, "booking");
    story->versions[story->count++] = entry->version;
    return STATUS_OK;
}

static void test_history_story_is_in_order_of_version(void **state)
{
    struct place *place = place_of(state);
    struct story story = {0};
    struct error error = {0};
    struct uuid id = test_id(1);
    apply_booking(place, 1, SCREENING__V1__BOOKING_STATUS__CANCELLED, 3);
    apply_booking(place, 1, SCREENING__V1__BOOKING_STATUS__REQUESTED, 1);
    apply_booking(place, 1, SCREENING__V1__BOOKING_STATUS__CONFIRMED, 2);
    apply_booking(place, 2, SCREENING__V1__BOOKING_STATUS__CONFIRMED, 2);
    expect(store_load_history(place->db, &id, &STORE_SEES_ALL, take_version, &story, &error), STATUS_OK,
           &error);
    assert_int_equal(story.count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(story.versions[i], i + 1);
    assert_int_equal(place_view(place, 3).status, 0);
}

/* ---- rows that this service never writes ---- */

static enum status see_nothing(void *context, const struct summary_row *summary,
                               const struct entry_row *entry)
{
    (void)context;
    (void)summary;
    (void)entry;
    fail_msg("an impossible row was read");
    return STATUS_OK;
}

static void test_history_batch_impossible_rows_fail_the_read(void **state)
{
    struct place *place = place_of(state);
    struct uuid id = test_id(1);
    static const char *const IMPOSSIBLE[] = {
        "UPDATE booking_summary SET status = 0",   "UPDATE booking_summary SET status = 6",
        "UPDATE booking_summary SET version = -1", "UPDATE booking_summary SET headcount = -1",
        "UPDATE timeline_entry SET status = 9",    "UPDATE timeline_entry SET seq = -1",
    };
    apply_booking(place, 1, SCREENING__V1__BOOKING_STATUS__CONFIRMED, 2);
    for (size_t i = 0; i < sizeof IMPOSSIBLE / sizeof IMPOSSIBLE[0]; i++) {
        struct error error = {0};
        expect(db_begin(place->db, &error), STATUS_OK, &error);
        expect(db_run_script(place->db,
                             "ALTER TABLE booking_summary DROP CONSTRAINT booking_summary_status_check,"
                             " DROP CONSTRAINT booking_summary_version_check",
                             &error),
               STATUS_OK, &error);
        expect(db_run_script(place->db, IMPOSSIBLE[i], &error), STATUS_OK, &error);
        expect(store_load_history(place->db, &id, &STORE_SEES_ALL, see_nothing, NULL, &error),
               STATUS_INTERNAL, &error);
        db_rollback(place->db);
    }
}

static enum status note_call(void *context, const struct summary_row *summary, const struct entry_row *entry)
{
    (void)summary, (void)entry;
    *(bool *)context = true;
    return STATUS_OK;
}

/* The statement that reads a history finds it for those callers only who may see the booking. */
static void test_history_story_is_found_by_those_who_may_see_it(void **state)
{
    static const char *const SUBJECTS[] = {"c-1", "c-2", ""};
    struct place *place = place_of(state);
    const struct uuid id = test_id(1), scope[] = {test_id(899), test_id(900), test_id(901)};
    apply_booking(place, 1, SCREENING__V1__BOOKING_STATUS__CONFIRMED, 2);
    for (unsigned roles = 0; roles <= AUTH_ROLES_ALL; roles++) {
        for (size_t i = 0; i < 12; i++) {
            const struct auth_caller caller = {
                .roles = roles, .subject = SUBJECTS[i % 3], .scope = scope, .scope_count = i / 3};
            struct booking_viewer viewer;
            struct error error = {0};
            bool found = false;
            expect(store_viewer(&caller, &place->arena, &viewer, &error), STATUS_OK, &error);
            expect(store_load_history(place->db, &id, &viewer, note_call, &found, &error), STATUS_OK, &error);
            assert_int_equal(found, auth_caller_may_see(&caller, "c-1", &scope[1]));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_PLACE(test_history_batch_impossible_rows_fail_the_read),
        TEST_PLACE(test_history_batch_versions_in_one_chunk_keep_the_higher),
        TEST_PLACE(test_history_batch_lower_version_later_is_kept_as_entry_only),
        TEST_PLACE(test_history_batch_chunk_again_changes_nothing),
        TEST_PLACE(test_history_batch_malformed_event_is_internal_and_writes_nothing),
        TEST_PLACE(test_history_batch_unknown_type_is_kept_whole),
        TEST_PLACE(test_history_batch_cancelled_first_ends_cancelled_in_any_order),
        TEST_PLACE(test_history_batch_own_event_ends_provisional),
        TEST_PLACE(test_history_batch_first_deletion_stays),
        TEST_PLACE(test_history_list_status_filter_agrees_with_the_view),
        TEST_PLACE(test_history_list_dates_are_inclusive),
        TEST_PLACE(test_history_list_pages_newest_first_without_gap_or_repeat),
        TEST_PLACE(test_history_list_name_comes_with_the_hospital_event_however_late),
        TEST_PLACE(test_history_story_is_in_order_of_version),
        TEST_PLACE(test_history_story_is_found_by_those_who_may_see_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
