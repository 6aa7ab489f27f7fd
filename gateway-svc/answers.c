#include "answers.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/check.h"

enum { THREADS = 2 };

struct answers {
    pthread_mutex_t lock; /* guards `queue` and `closing`; not held while an answer is written */
    pthread_cond_t wake;
    struct fair_queue *queue;
    bool closing;
    pthread_t threads[THREADS];
    size_t started;
};

/*
 * Waits for an answer and removes it from the queue. Returns NULL if the queue is empty after answers_close
 * was called.
 */
static struct answer *next_answer(struct answers *answers)
{
    pthread_mutex_lock(&answers->lock);
    while (answers->queue->waiting == 0 && !answers->closing)
        pthread_cond_wait(&answers->wake, &answers->lock);
    struct fair_item *item = fair_queue_pop(answers->queue);
    pthread_mutex_unlock(&answers->lock);
    return container_of(item, struct answer, item);
}

static void *work(void *context)
{
    struct answer *answer;
    while ((answer = next_answer(context)) != NULL)
        answer->write(answer);
    return NULL;
}

void answers_put(struct answers *answers, struct answer *answer)
{
    pthread_mutex_lock(&answers->lock);
    CHECK(answers->started == THREADS);
    fair_queue_push(answers->queue, &answer->item);
    pthread_cond_signal(&answers->wake);
    pthread_mutex_unlock(&answers->lock);
}

enum status answers_open(struct answers **out, struct error *error)
{
    struct answers *answers = calloc(1, sizeof *answers);
    struct fair_queue *queue = calloc(1, sizeof *queue);
    if (answers == NULL || queue == NULL) {
        free(queue);
        free(answers);
        return error_no_memory(error);
    }
    answers->queue = queue;
    pthread_mutex_init(&answers->lock, NULL);
    pthread_cond_init(&answers->wake, NULL);
    while (answers->started < THREADS &&
           pthread_create(&answers->threads[answers->started], NULL, work, answers) == 0)
        answers->started++;
    if (answers->started < THREADS) {
        answers_close(answers);
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "no thread left to write answers");
    }
    *out = answers;
    return STATUS_OK;
}

void answers_close(struct answers *answers)
{
    if (answers == NULL)
        return;
    pthread_mutex_lock(&answers->lock);
    answers->closing = true;
    pthread_cond_broadcast(&answers->wake);
    pthread_mutex_unlock(&answers->lock);
    for (size_t i = 0; i < answers->started; i++)
        pthread_join(answers->threads[i], NULL);
    CHECK(answers->queue->waiting == 0);
    pthread_cond_destroy(&answers->wake);
    pthread_mutex_destroy(&answers->lock);
    free(answers->queue);
    free(answers);
}
