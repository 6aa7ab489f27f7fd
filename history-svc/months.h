/*
 * The months into which the timeline is partitioned: made when the first entry falls into them, in the
 * transaction that inserts it. Which are there is remembered from one transaction to the next, so that it
 * costs nothing to be sure. Writer thread only.
 */
#ifndef HISTORY_SVC_MONTHS_H
#define HISTORY_SVC_MONTHS_H

#include "store.h"

#include <stddef.h>

#include "base/status.h"
#include "db/db.h"

enum { MONTHS_REMEMBERED = 64 };

/* Zero = nothing is remembered. */
struct months {
    struct timeline_month known[MONTHS_REMEMBERED];
    size_t count;
};

/* Makes the months of these entries unless they are remembered. Inside the transaction. */
MUST_CHECK enum status months_open(struct months *months, struct db *db, const struct entry_row *entries,
                                   size_t count, struct error *error);

/* For when what is remembered may be wrong: a transaction failed, or another process swapped the tables. */
void months_forget(struct months *months);

#endif
