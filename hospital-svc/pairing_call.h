/* Makes the Pair call page by page, and merges the pages into one answer. */
#ifndef SCREENING_HOSPITAL_SVC_PAIRING_CALL_H
#define SCREENING_HOSPITAL_SVC_PAIRING_CALL_H

#include "batch_pair.h"

#include "base/arena.h"
#include "base/status.h"
#include "rpc/channel.h"

/* Creates the client for the call. Returns NULL when out of memory. */
struct rpc_client *pairing_client_create(struct rpc_channel *channel);

/* Parameters of the call in addition to `look`. */
struct pairing_options {
    bool adopt;      /* whether to accept a different booking database */
    bool from_start; /* whether booking-svc must apply the hospital log again from its start */
};

/*
 * Sends `look` to booking-svc and fills *done with the answer. The lists are allocated in `arena`. If the era
 * is already paired, the list of requested bookings is empty, and so is the list of deletions unless
 * options->from_start. Returns the status of the call, INTERNAL for a malformed answer, or RESOURCE_EXHAUSTED
 * when out of memory. Blocks until the call has ended.
 */
MUST_CHECK enum status pairing_call(struct rpc_client *client, const struct pair_look *look,
                                    const struct pairing_options *options, struct arena *arena,
                                    struct pair_done *done, struct error *error);

#endif
