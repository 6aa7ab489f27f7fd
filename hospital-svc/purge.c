#include "purge.h"

#include "base/check.h"
#include "base/civil.h"
#include "base/clock.h"
#include "base/log.h"

enum {
    CHUNK_ROWS = 500,
    CHUNK_PAUSE_MS = 50,
    INTERVAL_MS = 3600 * MS_PER_S,
    RETRY_MS = 10 * MS_PER_S,
};

static void complete(struct writer_command *command)
{
    struct purge *purge = container_of(command, struct purge, command.writer);
    CHECK(purge->state == PURGE_SUBMITTED);
    purge->state = PURGE_COMPLETE;
}

static void wait_ms(struct purge *purge, int64_t pause_ms)
{
    purge->next_ns = clock_monotonic_ns() + pause_ms * NS_PER_MS;
    purge->state = PURGE_IDLE;
}

static void take_outcome(struct purge *purge)
{
    const struct error *outcome = &purge->command.writer.outcome;
    const int64_t purged = purge->command.wanted.purge.purged;
    if (outcome->status != STATUS_OK) {
        log_event(LOG_DEBUG, "purge.failed", LOG_TEXT("error", outcome->message));
        wait_ms(purge, RETRY_MS);
        return;
    }
    if (purged > 0)
        log_event(LOG_INFO, "reservations.purged", LOG_INT("count", purged));
    wait_ms(purge, purged == CHUNK_ROWS ? CHUNK_PAUSE_MS : INTERVAL_MS);
}

static void submit(struct purge *purge)
{
    struct error error = {0};
    CHECK(purge->state == PURGE_IDLE);
    purge->command.wanted.purge.before = civil_day_at(clock_now_us()) - purge->retention_days;
    purge->state = PURGE_SUBMITTED;
    if (writer_submit_request(purge->writer, &purge->command.writer, &error) != STATUS_OK)
        wait_ms(purge, RETRY_MS); /* the queue is full of clients' requests, which have priority */
}

/* Submits the next chunk if it is due. Returns the milliseconds until the next check. */
static uint32_t go_on(struct purge *purge)
{
    if (purge->state == PURGE_COMPLETE)
        take_outcome(purge);
    if (purge->state == PURGE_IDLE && clock_monotonic_ns() >= purge->next_ns)
        submit(purge);
    return purge->state == PURGE_IDLE ? (uint32_t)clock_remaining_ms(purge->next_ns) + 1 : CHUNK_PAUSE_MS;
}

static void tick(void *context, struct ticker *ticker)
{
    struct purge *purge = context;
    while (ticker_sleep(ticker, go_on(purge))) {
    }
}

enum status purge_open(struct purge *purge, struct writer *writer, int64_t retention_days,
                       struct error *error)
{
    *purge = (struct purge){.writer = writer,
                            .retention_days = (int32_t)retention_days,
                            .next_ns = clock_monotonic_ns(),
                            .state = PURGE_IDLE};
    purge->command.kind = COMMAND_PURGE;
    purge->command.wanted.purge.max = CHUNK_ROWS;
    purge->command.writer.class = WRITER_REQUEST;
    purge->command.writer.complete = complete;
    return ticker_open(INTERVAL_MS, tick, purge, &purge->ticker, error);
}

void purge_close(struct purge *purge)
{
    ticker_close(purge->ticker);
    purge->ticker = NULL;
}
