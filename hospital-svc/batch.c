/*
 * The steps of the transaction, in order: lock the log head (which excludes other replicas), read cursors,
 * load, decide, save, append events, move cursors, purge.
 */
#include "batch.h"

#include "batch_internal.h"
#include "command.h"
#include "store.h"

#include <stdlib.h>

#include "base/civil.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"

static struct metric granted_total =
    METRIC("hospital_reservations_granted_total", "Reservations that took places");
static struct metric refused_total =
    METRIC("hospital_reservations_refused_total", "Reserves that were refused");
static struct metric released_total = METRIC("hospital_reservations_released_total", "Reservations freed");
static struct metric tombstones_total =
    METRIC("hospital_tombstones_total", "Releases of bookings that had no reservation");

static struct metric recovering_total =
    METRIC("hospital_reserves_recovering_total", "Reserves refused because of an era that is not paired");
static struct metric reinstated_total =
    METRIC("hospital_places_reinstated_total", "Places of confirmed bookings that a database had lost");
static struct metric paired_now =
    METRIC("hospital_paired", "1 = places are granted, 0 = booking-svc has not agreed on the era yet");

struct batch *batch_create(struct event_log *log)
{
    struct batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL)
        return NULL;
    batch->params = db_params_create();
    if (batch->params == NULL) {
        free(batch);
        return NULL;
    }
    batch->log = log;
    arena_init(&batch->arena);
    working_set_init(&batch->set, &batch->arena);
    metric_register(&granted_total);
    metric_register(&refused_total);
    metric_register(&released_total);
    metric_register(&tombstones_total);
    metric_register(&recovering_total);
    metric_register(&reinstated_total);
    metric_register(&paired_now);
    event_log_lock_with(log, &STORE_LOCK_HEAD);
    return batch;
}

void batch_destroy(struct batch *batch)
{
    if (batch == NULL)
        return;
    working_set_fini(&batch->set);
    arena_fini(&batch->arena);
    db_params_destroy(batch->params);
    free(batch);
}

static void begin(struct batch *batch)
{
    working_set_clear(&batch->set);
    arena_reset(&batch->arena);
    batch->chunks = NULL;
    batch->chunk_count = 0;
    batch->tally = (struct batch_tally){0};
    batch->pair = NULL;
    batch->eras_differ = false;
    batch->now_us = clock_now_us();
    batch->today = civil_day_at(batch->now_us);
}

static enum status purge(struct db *db, struct writer_command *const *commands, size_t count,
                         struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        struct command *command = container_of(commands[i], struct command, writer);
        if (commands[i]->class != WRITER_EVENT && command->kind == COMMAND_PURGE) {
            TRY(store_purge(db, command->wanted.purge.before, command->wanted.purge.max,
                            &command->wanted.purge.purged, error));
        }
    }
    return STATUS_OK;
}

static enum status save(struct batch *batch, struct db *db, struct error *error)
{
    TRY(store_save(db, batch->params, &batch->set, error));
    if (store_counts_commit(&batch->set))
        event_log_note_commit(batch->log);
    TRY(batch_pair_save(batch, db, error));
    TRY(event_log_save(batch->log, db, error));
    for (size_t i = 0; i < batch->chunk_count; i++)
        TRY(event_chunk_finish(batch->chunks[i].chunk, db, error));
    return STATUS_OK;
}

static enum status apply(void *context, struct db *db, struct writer_command *const *commands, size_t count,
                         struct error *error)
{
    struct batch *batch = context;
    begin(batch);
    TRY(event_log_take_head(batch->log, db, error));
    TRY(batch_collect(batch, db, commands, count, error));
    TRY(batch_load(batch, db, commands, count, error));
    TRY(batch_decide(batch, commands, count, error));
    TRY(save(batch, db, error));
    return purge(db, commands, count, error);
}

static void committed(void *context)
{
    struct batch *batch = context;
    metric_add(&granted_total, batch->tally.granted);
    metric_add(&refused_total, batch->tally.refused);
    metric_add(&released_total, batch->tally.released);
    metric_add(&tombstones_total, batch->tally.tombstones);
    metric_add(&recovering_total, batch->tally.recovering);
    if (batch->tally.reinstated > 0) {
        metric_add(&reinstated_total, batch->tally.reinstated);
        log_event(LOG_WARN, "places.reinstated", LOG_INT("bookings", batch->tally.reinstated));
    }
    bool paired = event_log_era(batch->log)->paired;
    event_log_publish(batch->log);
    metric_set(&paired_now, paired);
    if ((!paired || batch->eras_differ) && batch->unpaired != NULL)
        batch->unpaired(batch->unpaired_context, batch->eras_differ);
}

void batch_on_unpaired(struct batch *batch, void (*unpaired)(void *context, bool eras_differ), void *context)
{
    batch->unpaired = unpaired;
    batch->unpaired_context = context;
}

struct writer_ops batch_ops(struct batch *batch)
{
    return (struct writer_ops){.apply = apply, .committed = committed, .context = batch};
}
