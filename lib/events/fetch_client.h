/* EventLogService.Fetch from the subscriber's side: a call that its caller may walk away from. */
#ifndef SCREENING_EVENTS_FETCH_CLIENT_H
#define SCREENING_EVENTS_FETCH_CLIENT_H

#include "monitor.h"

#include <stdbool.h>

#include "base/arena.h"
#include "base/status.h"
#include "rpc/channel.h"

#include "screening/v1/event.pb-c.h"

/*
 * Sends the request and waits for the answer, which is unpacked into `arena`; CANCELLED once *stop is true
 * (guarded by `monitor`, which is notified). Else what the call ended with. Not with the monitor's lock held.
 * The channel must outlive the call, also one that was left behind.
 */
MUST_CHECK enum status fetch_client_call(struct rpc_client *client,
                                         const Screening__V1__FetchRequest *request, struct monitor *monitor,
                                         const bool *stop, struct arena *arena,
                                         const Screening__V1__FetchResponse **out, struct error *error);

#endif
