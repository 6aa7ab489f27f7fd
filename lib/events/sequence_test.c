#include <stdio.h>
#include <string.h>

#include "base/unit_testing.h"
#include "events/sequence.h"

enum { EVENTS_MAX = 8 };

static const char LOG[] = "00000000-0000-7000-8000-0000000000aa";
static const char OTHER_LOG[] = "00000000-0000-7000-8000-0000000000bb";

/* Returns the id of the event at `seq` in history number `past`. */
static char *id_of(uint64_t seq, int past, char out[UUID_TEXT_SIZE])
{
    snprintf(out, UUID_TEXT_SIZE, "00000000-0000-7000-8000-%04d%08u", past, (unsigned)seq);
    return out;
}

struct batch_case {
    const char *what;
    uint64_t cursor;
    uint64_t first; /* 0 = a heartbeat */
    size_t count;
    uint64_t head; /* the head in a heartbeat */
    const char *log;
    int past;
    enum batch_place place;
    size_t skip;
};

static const struct batch_case CASES[] = {
    {"the first events of all", 0, 1, 3, 0, LOG, 0, BATCH_NEXT, 0},
    {"the next event", 5, 6, 1, 0, LOG, 0, BATCH_NEXT, 0},
    {"an overlap", 5, 4, 4, 0, LOG, 0, BATCH_NEXT, 2},
    {"a repetition", 5, 4, 2, 0, LOG, 0, BATCH_OLD, 0},
    {"one missing before", 5, 7, 2, 0, LOG, 0, BATCH_LATER, 0},
    {"the next of another past", 5, 6, 1, 0, LOG, 1, BATCH_DOUBT, 0},
    {"an overlap with another past", 5, 4, 4, 0, LOG, 1, BATCH_DOUBT, 0},
    {"another log", 5, 6, 1, 0, OTHER_LOG, 0, BATCH_DOUBT, 0},
    {"no id of a log", 5, 6, 1, 0, "log", 0, BATCH_DOUBT, 0},
    {"a heartbeat at our place", 5, 0, 0, 5, LOG, 0, BATCH_OLD, 0},
    {"a heartbeat at our place of another past", 5, 0, 0, 5, LOG, 1, BATCH_DOUBT, 0},
    {"a heartbeat ahead", 5, 0, 0, 6, LOG, 0, BATCH_LATER, 0},
    {"a lower head", 5, 0, 0, 4, LOG, 1, BATCH_OLD, 0},
    {"a heartbeat of an empty log", 0, 0, 0, 0, LOG, 0, BATCH_OLD, 0},
};

static void check(const struct batch_case *tested)
{
    static char ids[EVENTS_MAX + 1][UUID_TEXT_SIZE];
    char cursor_id[UUID_TEXT_SIZE];
    Screening__V1__Event events[EVENTS_MAX];
    Screening__V1__Event *pointers[EVENTS_MAX];
    for (size_t i = 0; i < tested->count; i++) {
        screening__v1__event__init(&events[i]);
        events[i].seq = tested->first + i;
        events[i].event_id = id_of(events[i].seq, tested->past, ids[i]);
        pointers[i] = &events[i];
    }
    uint64_t before = tested->count > 0 ? tested->first - 1 : tested->head;
    Screening__V1__EventBatch batch = SCREENING__V1__EVENT_BATCH__INIT;
    batch.log_id = (char *)(uintptr_t)tested->log;
    batch.head_seq = tested->count > 0 ? tested->first + tested->count - 1 : tested->head;
    if (before > 0)
        batch.prev_event_id = id_of(before, tested->past, ids[EVENTS_MAX]);
    batch.events = pointers;
    batch.n_events = tested->count;

    struct event_cursor end = {.seq = tested->cursor};
    assert_true(uuid_parse(LOG, &end.log_id));
    if (end.seq > 0)
        assert_true(uuid_parse(id_of(end.seq, 0, cursor_id), &end.event_id));
    size_t skip = 0;
    enum batch_place place = sequence_place(&end, &batch, &skip);
    if (place != tested->place || skip != tested->skip)
        fail_msg("%s: place %d skip %zu", tested->what, (int)place, skip);
}

static void test_sequence_place_of_every_case_is_as_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        check(&CASES[i]);
}

static void test_sequence_place_before_first_contact_asks_for_fetch(void **state)
{
    (void)state;
    const struct event_cursor end = {0};
    Screening__V1__EventBatch batch = SCREENING__V1__EVENT_BATCH__INIT;
    batch.log_id = (char *)(uintptr_t)LOG;
    size_t skip;
    assert_int_equal(sequence_place(&end, &batch, &skip), BATCH_DOUBT);
}

static void test_sequence_place_with_a_hole_inside_the_batch_asks_for_fetch(void **state)
{
    (void)state;
    char ids[2][UUID_TEXT_SIZE];
    Screening__V1__Event first = SCREENING__V1__EVENT__INIT;
    Screening__V1__Event third = SCREENING__V1__EVENT__INIT;
    Screening__V1__Event *events[] = {&first, &third};
    first.seq = 1;
    first.event_id = id_of(1, 0, ids[0]);
    third.seq = 3;
    third.event_id = id_of(3, 0, ids[1]);
    Screening__V1__EventBatch batch = SCREENING__V1__EVENT_BATCH__INIT;
    batch.log_id = (char *)(uintptr_t)LOG;
    batch.events = events;
    batch.n_events = 2;
    struct event_cursor end = {0};
    assert_true(uuid_parse(LOG, &end.log_id));
    size_t skip;
    assert_int_equal(sequence_place(&end, &batch, &skip), BATCH_DOUBT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sequence_place_of_every_case_is_as_the_table_says),
        cmocka_unit_test(test_sequence_place_before_first_contact_asks_for_fetch),
        cmocka_unit_test(test_sequence_place_with_a_hole_inside_the_batch_asks_for_fetch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
