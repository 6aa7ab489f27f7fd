#include "tally.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool tally_init(struct tally *tally)
{
    *tally = (struct tally){.outcomes = calloc(TALLY_OUTCOMES_MAX, sizeof *tally->outcomes)};
    pthread_mutex_init(&tally->lock, NULL);
    return tally->outcomes != NULL;
}

void tally_fini(struct tally *tally)
{
    free(tally->outcomes);
    free(tally->open);
    pthread_mutex_destroy(&tally->lock);
}

/*
 * Returns the entry with that name, and creates it if necessary. When the table is full, the last entry
 * counts all further outcomes.
 */
static struct outcome *entry_of(struct tally *tally, const char *name, const char *message)
{
    for (size_t i = 0; i < tally->outcome_count; i++)
        if (strcmp(tally->outcomes[i].name, name) == 0)
            return &tally->outcomes[i];
    if (tally->outcome_count == TALLY_OUTCOMES_MAX)
        return &tally->outcomes[TALLY_OUTCOMES_MAX - 1];
    struct outcome *outcome = &tally->outcomes[tally->outcome_count++];
    snprintf(outcome->name, sizeof outcome->name, "%s",
             tally->outcome_count < TALLY_OUTCOMES_MAX ? name : "others");
    snprintf(outcome->first_message, sizeof outcome->first_message, "%s", message);
    return outcome;
}

static void keep_open(struct tally *tally, const struct uuid *booking_id)
{
    if (tally->open_count == tally->open_size) {
        size_t size = tally->open_size > 0 ? tally->open_size * 2 : 1024;
        struct uuid *grown = realloc(tally->open, size * sizeof *grown);
        if (grown == NULL) {
            tally->out_of_memory = true;
            return;
        }
        tally->open = grown;
        tally->open_size = size;
    }
    tally->open[tally->open_count++] = *booking_id;
}

void tally_add(struct tally *tally, const struct tally_answer *answer)
{
    pthread_mutex_lock(&tally->lock);
    tally->confirmed += answer->confirmed;
    tally->cancelled += answer->cancelled;
    tally->wrong += answer->wrong;
    if (answer->open)
        keep_open(tally, &answer->booking_id);
    if (answer->counted) {
        struct outcome *outcome = entry_of(tally, answer->name, answer->message);
        latency_add(&outcome->latency, answer->took_us);
        latency_add(&outcome->from_sending, answer->took_from_sending_us);
    }
    pthread_mutex_unlock(&tally->lock);
}

const struct outcome *tally_find(const struct tally *tally, const char *name)
{
    for (size_t i = 0; i < tally->outcome_count; i++)
        if (strcmp(tally->outcomes[i].name, name) == 0)
            return &tally->outcomes[i];
    return NULL;
}
