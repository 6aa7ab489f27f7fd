/*
 * EventLogService.Fetch from the subscriber's side: a call that goes on while its caller does something else,
 * and that the caller may walk away from.
 */
#ifndef SCREENING_EVENTS_FETCH_CLIENT_H
#define SCREENING_EVENTS_FETCH_CLIENT_H

#include "monitor.h"

#include <stdbool.h>

#include "base/status.h"
#include "rpc/channel.h"

#include "screening/v1/event.pb-c.h"

struct fetch_call;

/*
 * Sends the request. The channel must outlive the call, also one that was left behind, and the monitor, which
 * is notified, must until it is ended. NULL when out of memory. Not with the monitor's lock held.
 */
struct fetch_call *fetch_call_begin(struct rpc_client *client, const Screening__V1__FetchRequest *request,
                                    struct monitor *monitor);

/*
 * Waits for the answer, which lives until the call is ended. CANCELLED once *stop is true (guarded by the
 * monitor), else what the call ended with. Not with the monitor's lock held.
 */
MUST_CHECK enum status fetch_call_wait(struct fetch_call *fetch, const bool *stop,
                                       const Screening__V1__FetchResponse **out, struct error *error);

/* Leaves the call, answered or not. NULL is allowed. Not with the monitor's lock held. */
void fetch_call_end(struct fetch_call *fetch);

#endif
