#include "turns.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/unit_testing.h"

enum { PLACES = 16, KEPT = 2, TURNS_MAX = 64, PATIENCE_MS = 20000, NEVER_S = 3600, SOURCES = 4 };

struct test_turn {
    struct turn turn; /* first member */
    struct turns *turns;
    bool ends_at_once; /* whether `begin` also ends the turn, as if the call failed */
    atomic_int begun, given_up;
    int position; /* the turn's position in the order of begins, from 1 */
};

static int positions;
static int under_way[SOURCES]; /* begun turns that have not ended */

static void end(struct turns *turns, uint64_t source)
{
    under_way[source]--;
    turns_end(turns, source);
}

static void begin(struct turn *turn)
{
    struct test_turn *mine = (struct test_turn *)turn;
    mine->position = ++positions; /* in this test only one thread at a time begins turns */
    atomic_fetch_add(&mine->begun, 1);
    under_way[turn->item.source]++;
    if (mine->ends_at_once)
        end(mine->turns, turn->item.source);
}

static void give_up(struct turn *turn)
{
    atomic_fetch_add(&((struct test_turn *)turn)->given_up, 1);
}

static struct turns *open_turns(void)
{
    struct turns *turns = NULL;
    positions = 0;
    assert_int_equal(turns_open(PLACES, &turns, NULL), STATUS_OK);
    return turns;
}

static void close_turns(struct turns *turns)
{
    turns_stop(turns);
    for (uint64_t source = 0; source < SOURCES; source++)
        while (under_way[source] > 0)
            end(turns, source);
    turns_close(turns);
}

static int64_t in_ms(int64_t ms)
{
    return clock_monotonic_ns() + ms * NS_PER_MS;
}

static void take_until(struct turns *turns, struct test_turn *turn, uint64_t source, int64_t deadline_ns)
{
    bool ends_at_once = turn->ends_at_once;
    *turn = (struct test_turn){
        .turn = {.item.source = source, .deadline_ns = deadline_ns, .begin = begin, .give_up = give_up},
        .turns = turns,
        .ends_at_once = ends_at_once};
    turns_take(turns, &turn->turn);
}

static void take(struct turns *turns, struct test_turn *turn, uint64_t source)
{
    take_until(turns, turn, source, in_ms((int64_t)NEVER_S * MS_PER_S));
}

static void take_all(struct turns *turns, struct test_turn *list, size_t count, uint64_t source)
{
    for (size_t i = 0; i < count; i++)
        take(turns, &list[i], source);
}

static size_t count_begun(struct test_turn *list, size_t count)
{
    size_t begun = 0;
    for (size_t i = 0; i < count; i++)
        begun += (size_t)atomic_load(&list[i].begun);
    return begun;
}

static void await(atomic_int *what)
{
    const struct timespec pause = {.tv_nsec = NS_PER_MS};
    int64_t until_ns = in_ms(PATIENCE_MS);
    while (atomic_load(what) == 0 && clock_monotonic_ns() < until_ns)
        nanosleep(&pause, NULL);
    assert_int_equal(atomic_load(what), 1);
}

static void test_turns_so_many_are_under_way_and_the_last_places_are_for_others(void **state)
{
    struct turns *turns = open_turns();
    struct test_turn flood[PLACES] = {0}, others[4] = {0};
    (void)state;
    take_all(turns, flood, PLACES, 1);
    assert_int_equal(count_begun(flood, PLACES), PLACES - KEPT);
    take_all(turns, others, 3, 2);
    assert_int_equal(count_begun(others, 3), KEPT);
    /* A freed place goes to the reserve first. */
    end(turns, 2);
    assert_int_equal(count_begun(flood, PLACES), PLACES - KEPT);
    assert_int_equal(count_begun(others, 3), 3);
    end(turns, 1);
    take(turns, &others[3], 3);
    assert_int_equal(atomic_load(&others[3].begun), 1);
    close_turns(turns);
}

static void test_turns_sources_take_turns(void **state)
{
    struct turns *turns = open_turns();
    struct test_turn first[PLACES] = {0}, flood[3] = {0}, others[3] = {0};
    (void)state;
    take_all(turns, first, PLACES - KEPT, 1);
    take_all(turns, first + PLACES - KEPT, KEPT, 2);
    take_all(turns, flood, 3, 1);
    take_all(turns, others, 3, 3);
    for (int i = 0; i < KEPT; i++)
        end(turns, 2);          /* frees places for sources that hold few */
    for (int i = 0; i < 6; i++) /* the first two refill the reserve */
        end(turns, 1);
    assert_int_equal(count_begun(flood, 3) + count_begun(others, 3), 6);
    assert_int_equal(others[0].position, PLACES + 1);
    assert_int_equal(others[1].position, PLACES + 2);
    assert_true(others[2].position < flood[1].position);
    assert_true(flood[0].position < flood[1].position && flood[1].position < flood[2].position);
    close_turns(turns);
}

static void test_turns_ends_within_its_beginning_any_number_of_times(void **state)
{
    enum { MANY = 100000 };
    struct turns *turns = open_turns();
    struct test_turn first[PLACES] = {0}, *failing = calloc(MANY, sizeof *failing);
    (void)state;
    assert_non_null(failing);
    take_all(turns, first, PLACES - KEPT, 1);
    for (size_t i = 0; i < MANY; i++)
        failing[i].ends_at_once = true;
    take_all(turns, failing, MANY, 1);
    assert_int_equal(count_begun(failing, MANY), 0);
    end(turns, 1);
    assert_int_equal(count_begun(failing, MANY), MANY);
    free(failing);
    close_turns(turns);
}

static void test_turns_what_waits_too_long_is_given_up(void **state)
{
    struct turns *turns = open_turns();
    struct test_turn first[PLACES] = {0}, late = {0}, patient = {0};
    (void)state;
    take_all(turns, first, PLACES - KEPT, 1);
    take(turns, &patient, 1);
    take_until(turns, &late, 1, in_ms(1));
    await(&late.given_up);
    assert_int_equal(atomic_load(&late.begun), 0);
    end(turns, 1);
    assert_int_equal(atomic_load(&patient.begun), 1);
    close_turns(turns);
}

static void test_turns_stopped_gives_up_what_waits_and_what_comes(void **state)
{
    struct turns *turns = open_turns();
    struct test_turn first[PLACES] = {0}, waiting = {0}, coming = {0};
    (void)state;
    take_all(turns, first, PLACES - KEPT, 1);
    take(turns, &waiting, 1);
    turns_stop(turns);
    assert_int_equal(atomic_load(&waiting.given_up), 1);
    take(turns, &coming, 2);
    assert_int_equal(atomic_load(&coming.given_up), 1);
    end(turns, 1);
    assert_int_equal(atomic_load(&waiting.begun) + atomic_load(&coming.begun), 0);
    close_turns(turns);
    turns_close(NULL);
}

static atomic_int slow_begun, slow_ended;

static void give_up_slowly(struct turn *turn)
{
    /* Long enough for a turns_stop that does not wait to return. */
    const struct timespec moment = {.tv_nsec = 50 * NS_PER_MS};
    (void)turn;
    atomic_store(&slow_begun, 1);
    nanosleep(&moment, NULL);
    atomic_store(&slow_ended, 1);
}

static void test_turns_stopped_waits_for_turns_that_are_being_given_up(void **state)
{
    struct turns *turns = open_turns();
    struct test_turn first[PLACES] = {0};
    struct turn late = {.item.source = 1, .deadline_ns = in_ms(1), .begin = begin, .give_up = give_up_slowly};
    (void)state;
    take_all(turns, first, PLACES - KEPT, 1);
    turns_take(turns, &late);
    await(&slow_begun);
    turns_stop(turns);
    assert_int_equal(atomic_load(&slow_ended), 1);
    close_turns(turns);
}

/* ---- many threads ---- */

enum { CALLERS = 4, CALLS = 3000 };

struct caller {
    pthread_t thread;
    struct turns *turns;
    uint64_t source;
    atomic_int done;
};

struct call {
    struct turn turn; /* first member */
    struct caller *caller;
};

static void begin_call(struct turn *turn)
{
    struct caller *caller = ((struct call *)turn)->caller;
    turns_end(caller->turns, caller->source);
    atomic_fetch_add(&caller->done, 1);
}

static void give_up_call(struct turn *turn)
{
    atomic_fetch_add(&((struct call *)turn)->caller->done, 1);
}

static void *make_calls(void *context)
{
    struct caller *caller = context;
    struct call *calls = calloc(CALLS, sizeof *calls);
    const struct timespec pause = {.tv_nsec = NS_PER_MS};
    for (int i = 0; i < CALLS; i++) {
        calls[i] = (struct call){{.item.source = caller->source,
                                  .deadline_ns = in_ms(i % 8 == 0 ? 0 : PATIENCE_MS),
                                  .begin = begin_call,
                                  .give_up = give_up_call},
                                 caller};
        turns_take(caller->turns, &calls[i].turn);
    }
    for (int64_t until_ns = in_ms(PATIENCE_MS);
         atomic_load(&caller->done) < CALLS && clock_monotonic_ns() < until_ns;)
        nanosleep(&pause, NULL);
    free(calls);
    return NULL;
}

static void test_turns_of_many_threads_all_end(void **state)
{
    struct turns *turns = NULL;
    struct caller callers[CALLERS] = {0};
    (void)state;
    assert_int_equal(turns_open(1, &turns, NULL), STATUS_OK);
    for (uint64_t i = 0; i < CALLERS; i++) {
        callers[i].turns = turns;
        callers[i].source = i % 3;
        assert_int_equal(pthread_create(&callers[i].thread, NULL, make_calls, &callers[i]), 0);
    }
    for (int i = 0; i < CALLERS; i++) {
        assert_int_equal(pthread_join(callers[i].thread, NULL), 0);
        assert_int_equal(atomic_load(&callers[i].done), CALLS);
    }
    close_turns(turns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_turns_so_many_are_under_way_and_the_last_places_are_for_others),
        cmocka_unit_test(test_turns_sources_take_turns),
        cmocka_unit_test(test_turns_ends_within_its_beginning_any_number_of_times),
        cmocka_unit_test(test_turns_what_waits_too_long_is_given_up),
        cmocka_unit_test(test_turns_stopped_gives_up_what_waits_and_what_comes),
        cmocka_unit_test(test_turns_stopped_waits_for_turns_that_are_being_given_up),
        cmocka_unit_test(test_turns_of_many_threads_all_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
