/* The call of Pair: all of its pages as one answer. */
#ifndef SCREENING_HOSPITAL_SVC_PAIRING_CALL_H
#define SCREENING_HOSPITAL_SVC_PAIRING_CALL_H

#include "batch_pair.h"

#include "base/arena.h"
#include "base/status.h"
#include "rpc/channel.h"

/* NULL when out of memory. */
struct rpc_client *pairing_client_create(struct rpc_channel *channel);

/* What the call asks for beside what `look` says. */
struct pairing_wish {
    bool adopt;      /* accept another database */
    bool from_start; /* have booking-svc apply the hospital log again from its start */
};

/*
 * Tells booking-svc what `look` says and fills in what it answers; the lists lie in the arena, and are left
 * out when the era is paired already. Statuses are those of the call. Blocks.
 */
MUST_CHECK enum status pairing_call(struct rpc_client *client, const struct pair_look *look,
                                    const struct pairing_wish *wish, struct arena *arena,
                                    struct pair_done *done, struct error *error);

#endif
