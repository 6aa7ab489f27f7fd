#include "rpc/outcome.h"

#include <string.h>

#include "base/clock.h"
#include "rpc/channel_state.h"

#include "screening/v1/words.h"

/*
 * A try without an answer counts against the backend only if it waited this long. A caller may have less time
 * than a healthy backend needs.
 */
enum { FAIR_MS = 50 };

/* How long another backend is preferred to one that answered NOT_READY without a time. */
enum { REFUSING_MS = 100 };

void outcome_note(struct rpc_exchange *exchange, bool answered_ok)
{
    const struct error *error = &exchange->call->error;
    bool silent = exchange->fate == RPC_FATE_SILENT || exchange->fate == RPC_FATE_GIVEN_UP;
    if (silent && exchange->several &&
        clock_monotonic_ns() - exchange->sent_ns >= FAIR_MS * (int64_t)NS_PER_MS)
        rpc_channel_note_silence(exchange);
    if (!answered_ok && exchange->left && !retry_was_refused(error->status, error->reason))
        exchange->doubtful = true;
}

void outcome_note_refusal(struct rpc_exchange *exchange, int connection)
{
    const struct error *error = &exchange->call->error;
    if (strcmp(error->reason, SCREENING_REASON_DRAINING) == 0)
        rpc_channel_note_draining(exchange, error->retry_after_ms, connection);
    else if (strcmp(error->reason, SCREENING_REASON_TOO_MANY_CALLS) == 0)
        return; /* other callers may be served */
    else if (retry_elsewhere(error->status, error->reason))
        rpc_channel_note_refusal(exchange, error->retry_after_ms > 0 ? error->retry_after_ms : REFUSING_MS);
    else if (error->status == STATUS_RESOURCE_EXHAUSTED)
        rpc_channel_note_refusal(exchange, error->retry_after_ms);
}

bool outcome_may_hop(const struct rpc_exchange *exchange)
{
    const struct rpc_client_call *call = exchange->call;
    bool may = false;
    switch (exchange->fate) {
    case RPC_FATE_UNSENT:
        may = true;
        break;
    case RPC_FATE_ANSWERED:
        may = retry_elsewhere(call->error.status, call->error.reason);
        break;
    case RPC_FATE_LOST:
        may = call->idempotent && !exchange->hopped; /* it may crash each backend that it reaches */
        break;
    case RPC_FATE_GIVEN_UP:
        may = true; /* only an idempotent call is given up */
        break;
    case RPC_FATE_SILENT:
    case RPC_FATE_NONE:
        break;
    }
    return may && exchange->several && exchange->kept != NULL && !exchange->receive.spent &&
           clock_monotonic_ns() < exchange->deadline_ns;
}

nng_duration outcome_pause(struct rpc_exchange *exchange)
{
    const struct rpc_client_call *call = exchange->call;
    if (!exchange->retries || exchange->kept == NULL ||
        !retry_may_help(&call->error, exchange->left, call->idempotent))
        return 0;
    int64_t pause_ms = backoff_next_ns(&exchange->backoff) / NS_PER_MS + 1;
    if (pause_ms < call->error.retry_after_ms)
        pause_ms = call->error.retry_after_ms;
    if (pause_ms >= clock_remaining_ms(exchange->deadline_ns))
        return 0;
    return rpc_guard_take_retry(&exchange->channel->guard) ? (nng_duration)pause_ms : 0;
}

enum breaker_outcome outcome_judge(const struct rpc_exchange *exchange)
{
    const struct error *error = &exchange->call->error;
    int64_t now_ns = clock_monotonic_ns();
    /*
     * A message that was never sent has been waiting since the call began. If the message was sent, the
     * server had the budget that remained when the attempt began.
     */
    int64_t began_ns = exchange->deadline_ns - (int64_t)exchange->timeout_ms * NS_PER_MS;
    int64_t had_ns = exchange->left ? exchange->deadline_ns - exchange->begun_ns : now_ns - began_ns;
    return breaker_judge(error->status, error->reason, exchange->left, had_ns / NS_PER_MS,
                         exchange->channel->guard.breaker.options.fair_ms);
}

void outcome_record(struct rpc_exchange *exchange, enum breaker_outcome outcome)
{
    if (!exchange->admitted)
        return;
    exchange->admitted = false;
    const struct breaker_count count = {
        .successes = outcome == BREAKER_SUCCESS,
        .failures = outcome == BREAKER_FAILURE,
        .nothing = outcome == BREAKER_NOTHING,
    };
    rpc_guard_record(&exchange->channel->guard, exchange->era, &count);
}

void outcome_tell_doubt(struct rpc_exchange *exchange)
{
    struct error *error = &exchange->call->error;
    if (!exchange->doubtful || !retry_was_refused(error->status, error->reason))
        return;
    uint32_t retry_after_ms = error->retry_after_ms > 0 ? error->retry_after_ms : REFUSING_MS;
    (void)error_set(error, STATUS_UNAVAILABLE, NULL, "an earlier try may have been executed: %s",
                    error->message);
    error->retry_after_ms = retry_after_ms;
    exchange->call->refused_later = true;
}
