/* The client side of EventLogService.Fetch, an asynchronous call that its caller may abandon. */
#ifndef SCREENING_EVENTS_FETCH_CLIENT_H
#define SCREENING_EVENTS_FETCH_CLIENT_H

#include <stdbool.h>

#include "base/monitor.h"
#include "base/status.h"
#include "rpc/channel.h"

#include "screening/v1/event.pb-c.h"

struct fetch_call;

/*
 * Sends the request. `options` holds the inputs of the call; `into` is ignored. The channel must outlive the
 * call, even an abandoned one. The monitor is notified when the reply arrives, and must live until
 * fetch_call_end. Returns NULL when out of memory. The caller must not hold the monitor's lock.
 */
struct fetch_call *fetch_call_begin(struct rpc_client *client, const Screening__V1__FetchRequest *request,
                                    const struct rpc_client_call *options, struct monitor *monitor);

/* Returns true once fetch_call_wait will not block. Call it with the monitor's lock held. */
bool fetch_call_answered(const struct fetch_call *fetch);

/*
 * Waits for the reply, which lives until fetch_call_end. Returns the status of the call, or CANCELLED if
 * *stop (guarded by the monitor) becomes true before the reply arrives. The caller must not hold the
 * monitor's lock.
 */
MUST_CHECK enum status fetch_call_wait(struct fetch_call *fetch, const bool *stop,
                                       const Screening__V1__FetchResponse **out, struct error *error);

/* Ends the call, or abandons it if it is still in flight. NULL is allowed. The caller must not hold the
 * monitor's lock. */
void fetch_call_end(struct fetch_call *fetch);

#endif
