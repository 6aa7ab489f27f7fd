#include "answers.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/unit_testing.h"

enum { THREADS = 2, FLOOD = 20, COUNT = FLOOD + 1 };

/* Blocks every thread until the gate opens, then records the order of writing. */
struct stage {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t held;
    bool open;
    size_t written;
};

struct test_answer {
    struct answer answer; /* first member */
    struct stage *stage;
    bool holds;
    size_t position;
};

static void write_it(struct answer *answer)
{
    struct test_answer *mine = (struct test_answer *)answer;
    struct stage *stage = mine->stage;
    pthread_mutex_lock(&stage->lock);
    stage->held += mine->holds;
    pthread_cond_broadcast(&stage->changed);
    while (mine->holds && !stage->open)
        pthread_cond_wait(&stage->changed, &stage->lock);
    mine->position = ++stage->written;
    pthread_mutex_unlock(&stage->lock);
}

static void put(struct answers *answers, struct stage *stage, struct test_answer *answer, uint64_t source,
                bool holds)
{
    *answer = (struct test_answer){.answer = {.item.source = source, .write = write_it}, .stage = stage};
    answer->holds = holds;
    answers_put(answers, &answer->answer);
}

static void test_answers_sources_take_turns_and_closing_writes_all(void **state)
{
    struct stage stage = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false, 0};
    struct test_answer gates[THREADS], answers_of[COUNT];
    struct answers *answers = NULL;
    (void)state;
    assert_int_equal(answers_open(&answers, NULL), STATUS_OK);
    for (size_t i = 0; i < THREADS; i++)
        put(answers, &stage, &gates[i], 0, true);
    pthread_mutex_lock(&stage.lock);
    while (stage.held < THREADS)
        pthread_cond_wait(&stage.changed, &stage.lock);
    pthread_mutex_unlock(&stage.lock);
    for (size_t i = 0; i < FLOOD; i++)
        put(answers, &stage, &answers_of[i], 1, false);
    put(answers, &stage, &answers_of[FLOOD], 2, false);
    pthread_mutex_lock(&stage.lock);
    stage.open = true;
    pthread_cond_broadcast(&stage.changed);
    pthread_mutex_unlock(&stage.lock);
    answers_close(answers);
    assert_int_equal(stage.written, THREADS + COUNT);
    /* At most the gates and two answers of source 1 per thread precede the answer of source 2. */
    assert_true(answers_of[FLOOD].position <= THREADS + 2 * THREADS + 1);
}

static void test_answers_close_without_any(void **state)
{
    struct answers *answers = NULL;
    (void)state;
    assert_int_equal(answers_open(&answers, NULL), STATUS_OK);
    answers_close(answers);
    answers_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_sources_take_turns_and_closing_writes_all),
        cmocka_unit_test(test_answers_close_without_any),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
